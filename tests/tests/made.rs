//! Children that makers make when a row is ingested: through the pipeline into the embedded
//! engine, and back as the same structs.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use adb::{
    EmbedError, EmbedderIdentity, ModelErrorKind, Pixels, PreparedImage,
    document::Document,
    loaders::{ErrorKind, Ingest, JsonSource, Report},
    prelude::*,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// An embedder whose vectors say what it was given: the first bytes of a text, the place of a part.
#[derive(Debug)]
struct Plain(EmbedderIdentity, AtomicUsize);

impl Plain {
    fn new() -> Arc<Self> {
        let identity = EmbedderIdentity {
            name: "plain".into(),
            hash: "0123456789abcdef".into(),
            dimensions: 4,
            images: true,
            texts: true,
        };
        Arc::new(Self(identity, AtomicUsize::new(0)))
    }
}

impl Embedder for Plain {
    fn identity(&self) -> &EmbedderIdentity {
        &self.0
    }
    fn prepare_image(
        &self,
        encoded: &[u8],
        region: Option<Rect>,
    ) -> Result<PreparedImage, EmbedError> {
        assert!(encoded.starts_with(b"\x89PNG"), "it is the encoded picture");
        let Rect { x, y, width, height } =
            region.unwrap_or(Rect { x: 0, y: 0, width: 1, height: 1 });
        Ok(PreparedImage([x, y, width, height].map(|n| n as f32).into()))
    }
    fn embed_images(&self, images: &[PreparedImage]) -> Result<Vec<Vec<f32>>, EmbedError> {
        self.1.fetch_add(images.len(), Ordering::Relaxed);
        Ok(images.iter().map(|image| image.0.to_vec()).collect())
    }
    fn embed_texts(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        self.1.fetch_add(texts.len(), Ordering::Relaxed);
        let byte = |text: &str, i| f32::from(text.as_bytes().get(i).copied().unwrap_or(0));
        Ok(texts.iter().map(|t| (0..4).map(|i| byte(t, i)).collect()).collect())
    }
}

struct Four;
impl adb::EmbedderSpec for Four {
    const NAME: &'static str = "plain";
    const DIMENSIONS: usize = 4;
}
impl adb::Produces<Embedding<4>> for Four {}
impl adb::Accepts<Image> for Four {}
impl adb::Accepts<String> for Four {}

#[derive(DescriptorSet)]
#[adb(name = "meanings", embedder = Four, metric = L2, engine = Flat)]
struct Meanings;

#[derive(DescriptorSet)]
#[adb(name = "spots", embedder = Four, metric = L2, engine = Flat)]
struct SpotLooks;

/// A text, cut into paragraphs.
#[derive(Debug, DataModel, Serialize, Deserialize)]
struct Page {
    #[adb(id)]
    path: String,
    document: String,
    #[adb(connect = "HasChunk", from = document, by = Paragraphs)]
    #[serde(default)]
    chunks: Vec<Chunk>,
}

#[derive(Debug, DataModel, Serialize, Deserialize)]
#[adb(row_id)]
struct Chunk {
    number: u32,
    text: String,
    #[adb(embed(from = text, set = Meanings))]
    meaning: Embedding<4>,
}

/// Cuts a text where lines are left blank, and counts how often it was asked.
#[derive(Debug, Clone)]
struct Paragraphs(Arc<AtomicUsize>);

impl Paragraphs {
    fn new() -> Self {
        Self(Arc::default())
    }
    fn asked(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl ChildMaker for Paragraphs {
    const NAME: &'static str = "paragraphs";
    type From = String;
    type Child = Chunk;
    fn make(&self, text: &str) -> Result<Vec<Chunk>, MakeError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        if text.contains("refuse") {
            return Err("it does not want to".into());
        }
        if text.contains("panic") {
            panic!("what a text");
        }
        let parts = text.split("\n\n").map(str::trim).filter(|part| !part.is_empty());
        let chunk = |(number, text): (u32, &str)| Chunk {
            number,
            text: text.to_owned(),
            meaning: Embedding::default(),
        };
        Ok((1..).zip(parts).map(chunk).collect())
    }
}

struct Place(tempfile::TempDir);

impl Place {
    fn new(rows: &Json) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write(rows);
        place
    }
    fn write(&self, rows: &Json) {
        fs::write(self.path().join("rows.json"), rows.to_string()).unwrap();
    }
    fn path(&self) -> &Path {
        self.0.path()
    }
    fn db(&self) -> Arc<dyn Database> {
        adb::connect(self.path().join("db").to_str().unwrap()).unwrap()
    }
    async fn ingest<M>(&self, with: impl FnOnce(Ingest) -> Ingest) -> Report
    where
        M: DataModel + serde::de::DeserializeOwned + Send + 'static,
    {
        let source = JsonSource::<M>::open(self.path().join("rows.json")).unwrap();
        let ingest = Ingest::new(self.db()).embedder(Plain::new());
        let report = with(ingest).run(source).await.unwrap();
        assert!(report.adds_up(), "{report}");
        report
    }
}

fn pages() -> Json {
    json!([
        {"path": "a.md", "document": "one\n\ntwo\n\n\n\nthree"},
        {"path": "b.md", "document": "one"},
        {"path": "empty.md", "document": " "},
    ])
}

async fn count(db: &dyn Database, command: &str, body: Json) -> u64 {
    let mut body = body;
    body["results"] = json!({"count": true});
    let (answers, _) = adb::ask(db, adb::Request::json(&json!([{ command: body }]))).await.unwrap();
    answers[0][command]["count"].as_u64().unwrap()
}

async fn chunks(db: &dyn Database) -> u64 {
    count(db, "FindEntity", json!({"with_class": "Chunk"})).await
}

#[tokio::test]
async fn a_text_becomes_chunks_with_vectors_and_only_once() {
    let place = Place::new(&pages());
    let maker = Paragraphs::new();
    let first = place.ingest::<Page>(|i| i.maker(maker.clone())).await;
    assert_eq!((first.added, first.made, first.embedded), (3, 4, 4), "{first}");
    assert_eq!(maker.asked(), 3);

    let mut pages: Vec<Page> =
        Page::find().with_vectors().depth(2).fetch(&*place.db()).await.unwrap();
    pages.sort_by(|a, b| a.path.cmp(&b.path));
    pages[0].chunks.sort_by_key(|c| c.number);
    let texts: Vec<&str> = pages[0].chunks.iter().map(|c| c.text.as_str()).collect();
    assert_eq!(texts, ["one", "two", "three"]);
    let given: Vec<f32> = b"thre".map(f32::from).into();
    assert_eq!(pages[0].chunks[2].meaning.as_slice(), Some(given.as_slice()));
    assert_eq!((pages[1].chunks.len(), pages[2].chunks.len()), (1, 0));

    let near = vec![f32::from(b't'), f32::from(b'w'), f32::from(b'o'), 0.0];
    let hits =
        Chunk::find().nearest::<Meanings>(near.clone(), 1).fetch_by(&*place.db(), &near).await;
    assert_eq!(hits.unwrap()[0].value.text, "two");

    // Rows that are there are not made again, the one without a paragraph neither.
    let second = place.ingest::<Page>(|i| i.maker(maker.clone())).await;
    assert_eq!((second.existed, second.made, second.embedded), (3, 0, 0), "{second}");
    assert_eq!((second.objects_added, second.connections_added), (0, 0), "{second}");
    assert_eq!(maker.asked(), 3);
    assert_eq!(second.differing, 0, "{second}");
    assert!(second.to_string().contains("nothing to do"), "{second}");
}

#[tokio::test]
async fn made_anew_they_are_the_same_objects() {
    // As if the source had been renamed: rows have other identities, pages the same.
    let place = Place::new(&pages());
    place.ingest::<Page>(|i| i.maker(Paragraphs::new())).await;
    let ids = |db: Arc<dyn Database>| async move {
        let find =
            json!([{"FindEntity": {"with_class": "Chunk", "results": {"list": ["adb_id"]}}}]);
        let (answers, _) = adb::ask(&*db, adb::Request::json(&find)).await.unwrap();
        let mut ids: Vec<String> = answers[0]["FindEntity"]["entities"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["adb_id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    };
    let elsewhere = Place::new(&json!([]));
    let mut rows = pages();
    rows.as_array_mut().unwrap().reverse();
    elsewhere.write(&rows);
    elsewhere.ingest::<Page>(|i| i.maker(Paragraphs::new())).await;
    let first = ids(place.db()).await;
    assert_eq!(first.len(), 4);
    assert_eq!(first, ids(elsewhere.db()).await);
}

#[tokio::test]
async fn upserted_they_follow_what_they_are_made_from() {
    let place = Place::new(&pages());
    let maker = Paragraphs::new();
    place.ingest::<Page>(|i| i.maker(maker.clone())).await;
    let same = place.ingest::<Page>(|i| i.maker(maker.clone()).upsert(true)).await;
    assert_eq!((same.existed, same.updated, same.embedded), (3, 0, 0), "{same}");
    assert_eq!((same.objects_added, same.connections_added), (0, 0), "{same}");

    let mut rows = pages();
    rows[0]["document"] = json!("one\n\nzwei");
    rows[1]["document"] = json!("one\n\nmore");
    place.write(&rows);
    let changed = place.ingest::<Page>(|i| i.maker(maker.clone()).upsert(true)).await;
    assert_eq!((changed.updated, changed.existed, changed.failed), (2, 1, 0), "{changed}");
    // Of the first the second paragraph, of the second the new one.
    assert_eq!(changed.embedded, 2, "{changed}");
    let find = Page::find().with_vectors().depth(2).sort(|p| p.path.ascending());
    let mut found: Vec<Page> = find.fetch(&*place.db()).await.unwrap();
    for page in &mut found {
        page.chunks.sort_by_key(|c| c.number);
    }
    let texts = |page: &Page| page.chunks.iter().map(|c| c.text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&found[0]), ["one", "zwei"]);
    assert_eq!(texts(&found[1]), ["one", "more"]);
    let given: Vec<f32> = b"zwei".map(f32::from).into();
    assert_eq!(found[0].chunks[1].meaning.as_slice(), Some(given.as_slice()));
    // What others may share stays.
    assert_eq!(chunks(&*place.db()).await, 5);
    let again = place.ingest::<Page>(|i| i.maker(maker.clone()).upsert(true)).await;
    assert_eq!((again.existed, again.embedded), (3, 0), "{again}");
    let plain = place.ingest::<Page>(|i| i.maker(maker.clone())).await;
    assert_eq!((plain.existed, plain.made), (3, 0), "{plain}");

    // A value alone has no makers.
    let page = Page { path: "a.md".into(), document: "one".into(), chunks: Vec::new() };
    let err = page.upsert().write(&*place.db()).await.unwrap_err();
    assert!(err.to_string().contains("paragraphs"), "{err}");
}

#[tokio::test]
async fn upserted_boxes_follow_their_picture() {
    let place = spotted();
    place.ingest::<Spotted>(|i| i).await;
    let same = place.ingest::<Spotted>(|i| i.upsert(true)).await;
    assert_eq!((same.existed, same.embedded), (3, 0), "{same}");
    draw(&place.path().join("two.png"), &[([200, 0, 0], [4, 2, 3, 4])]);
    let changed = place.ingest::<Spotted>(|i| i.upsert(true)).await;
    assert_eq!((changed.updated, changed.existed), (1, 2), "{changed}");
    let find = Spotted::find().with_vectors().sort(|s| s.id.ascending());
    let found: Vec<Spotted> = find.fetch(&*place.db()).await.unwrap();
    let spots: Vec<&Spot> = found[0].spots.iter().flatten().collect();
    assert_eq!(spots.len(), 1);
    assert_eq!(spots[0].area, Rect { x: 4, y: 2, width: 3, height: 4 });
    assert_eq!(spots[0].look.as_slice(), Some([4.0, 2.0, 3.0, 4.0].as_slice()));
    assert_eq!(count(&*place.db(), "FindBoundingBox", json!({})).await, 1);
    assert_eq!(count(&*place.db(), "FindDescriptor", json!({"set": "spots"})).await, 1);
    let again = place.ingest::<Spotted>(|i| i.upsert(true)).await;
    assert_eq!((again.existed, again.embedded), (3, 0), "{again}");
}

#[tokio::test]
async fn children_that_a_row_brings_stand() {
    let given = json!([{"number": 9, "text": "mine"}]);
    let place = Place::new(&json!([
        {"path": "a.md", "document": "one\n\ntwo", "chunks": given},
        {"path": "b.md", "document": "three", "chunks": []},
    ]));
    let maker = Paragraphs::new();
    let report = place.ingest::<Page>(|i| i.maker(maker.clone())).await;
    assert_eq!((report.added, report.made, maker.asked()), (2, 1, 1), "{report}");
    assert_eq!(chunks(&*place.db()).await, 2);
}

#[tokio::test]
async fn a_maker_that_can_not_costs_its_row() {
    let place = Place::new(&json!([
        {"path": "a.md", "document": "refuse"},
        {"path": "b.md", "document": "panic"},
        {"path": "c.md", "document": "one"},
    ]));
    let report = place.ingest::<Page>(|i| i.maker(Paragraphs::new())).await;
    assert_eq!((report.added, report.failed), (1, 2), "{report}");
    let reasons: Vec<&str> = report.failures.iter().map(|f| f.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "`paragraphs` could not make the children of Page.chunks: it does not want to",
            "`paragraphs` could not make the children of Page.chunks: it panicked: what a text",
        ]
    );
}

#[tokio::test]
async fn a_maker_that_is_missing_is_named_before_the_first_row() {
    let place = Place::new(&pages());
    let source = JsonSource::<Page>::open(place.path().join("rows.json")).unwrap();
    let error = Ingest::new(place.db()).embedder(Plain::new()).run(source).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NoMaker { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("`paragraphs`") && text.contains("Page.chunks"), "{text}");
    assert_eq!(count(&*place.db(), "FindEntity", json!({"with_class": "Page"})).await, 0);
}

#[test]
fn a_graph_without_them_is_not_written() {
    let page = Page { path: "a".into(), document: "one".into(), chunks: Vec::new() };
    let error = adb::Lowering::new().push(&page.graph().unwrap()).unwrap_err();
    assert!(matches!(error.kind(), ModelErrorKind::NotMade { maker: "paragraphs" }), "{error}");
    assert_eq!(error.place(), "Page.chunks");
}

/// [`Page`] before it had chunks.
#[derive(Debug, DataModel, Serialize, Deserialize)]
#[adb(class = "Page")]
struct BarePage {
    #[adb(id)]
    path: String,
    document: String,
}

#[tokio::test]
async fn a_model_that_gets_a_maker_later_is_made_up_for() {
    let place = Place::new(&pages());
    place.ingest::<BarePage>(|i| i).await;
    let maker = Paragraphs::new();
    let second = place.ingest::<Page>(|i| i.maker(maker.clone())).await;
    assert_eq!((second.existed, second.made, second.embedded), (3, 4, 4), "{second}");
    assert_eq!(chunks(&*place.db()).await, 4);
    let third = place.ingest::<Page>(|i| i.maker(maker.clone())).await;
    assert_eq!((third.made, third.objects_added, maker.asked()), (0, 0, 3), "{third}");
}

/// A picture with spots on it.
#[derive(Debug, DataModel, Serialize, Deserialize)]
#[adb(image)]
struct Spotted {
    #[adb(id)]
    id: u64,
    photo: Image,
    /// `None` is to be filled; an empty list says that there are none.
    #[adb(regions, from = photo, by = Spots)]
    spots: Option<Vec<Spot>>,
}

#[derive(Debug, DataModel, Serialize, Deserialize)]
#[adb(bounding_box, row_id)]
struct Spot {
    area: Rect,
    #[adb(label)]
    colour: Option<String>,
    #[adb(embed(from = area, set = SpotLooks))]
    look: Embedding<4>,
}

/// Finds what is of one colour and not white: a box around each colour. It needs nothing to be
/// made, so nobody has to give it to the pipeline.
#[derive(Default)]
struct Spots;

impl Spots {
    fn boxes(pixels: &Pixels) -> Vec<Spot> {
        let mut found: Vec<([u8; 3], [i64; 4])> = Vec::new();
        for y in 0..pixels.height {
            for x in 0..pixels.width {
                let colour = pixels.at(x, y).unwrap();
                if colour == [255; 3] {
                    continue;
                }
                let (x, y) = (i64::from(x), i64::from(y));
                match found.iter_mut().find(|(c, _)| *c == colour) {
                    None => found.push((colour, [x, y, x, y])),
                    Some((_, [left, top, right, bottom])) => {
                        (*left, *right) = ((*left).min(x), (*right).max(x));
                        (*top, *bottom) = ((*top).min(y), (*bottom).max(y));
                    }
                }
            }
        }
        let spot = |([r, g, b], [left, top, right, bottom]): ([u8; 3], [i64; 4])| Spot {
            area: Rect { x: left, y: top, width: right - left + 1, height: bottom - top + 1 },
            colour: Some(format!("#{r:02x}{g:02x}{b:02x}")),
            look: Embedding::default(),
        };
        found.into_iter().map(spot).collect()
    }
}

impl ChildMaker for Spots {
    const NAME: &'static str = "spots";
    type From = Image;
    type Child = Spot;
    fn make(&self, photo: Picture<'_>) -> Result<Vec<Spot>, MakeError> {
        assert!(photo.path().unwrap().is_absolute(), "relative ones begin where the rows lie");
        Ok(Self::boxes(&photo.decode()?))
    }
}

/// White, 20×10 pixels, with spots: colour, left, top, width, height.
fn draw(path: &Path, spots: &[([u8; 3], [u32; 4])]) {
    let mut picture = image::RgbImage::from_pixel(20, 10, image::Rgb([255; 3]));
    for (colour, [x, y, width, height]) in spots {
        for (x, y) in (*x..x + width).flat_map(|x| (*y..y + height).map(move |y| (x, y))) {
            picture.put_pixel(x, y, image::Rgb(*colour));
        }
    }
    picture.save(path).unwrap();
}

fn spotted() -> Place {
    let place = Place::new(&json!([
        {"id": 1, "photo": "two.png"},
        {"id": 2, "photo": "white.png"},
        {"id": 3, "photo": "ignored.png", "spots": []},
    ]));
    let two = [([200, 0, 0], [1, 2, 3, 4]), ([0, 0, 200], [10, 0, 5, 2])];
    draw(&place.path().join("two.png"), &two);
    draw(&place.path().join("white.png"), &[]);
    draw(&place.path().join("ignored.png"), &two);
    place
}

#[tokio::test]
async fn a_picture_becomes_boxes_with_vectors_and_only_once() {
    let place = spotted();
    let first = place.ingest::<Spotted>(|i| i).await;
    assert_eq!((first.added, first.made, first.embedded), (3, 2, 2), "{first}");

    let find = Spotted::find().with_vectors().sort(|s| s.id.ascending());
    let found: Vec<Spotted> = find.fetch(&*place.db()).await.unwrap();
    let mut spots: Vec<(Rect, &str, &[f32])> = found[0]
        .spots
        .iter()
        .flatten()
        .map(|s| (s.area, s.colour.as_deref().unwrap(), s.look.as_slice().unwrap()))
        .collect();
    spots.sort_by_key(|(area, ..)| area.x);
    assert_eq!(
        spots,
        [
            (Rect { x: 1, y: 2, width: 3, height: 4 }, "#c80000", [1.0, 2.0, 3.0, 4.0].as_slice()),
            (Rect { x: 10, y: 0, width: 5, height: 2 }, "#0000c8", &[10.0, 0.0, 5.0, 2.0]),
        ]
    );
    assert!(found[1..].iter().all(|s| s.spots.iter().flatten().count() == 0));

    // The pictures are gone: the second run must not want them.
    for name in ["two", "white", "ignored"] {
        fs::remove_file(place.path().join(format!("{name}.png"))).unwrap();
    }
    let second = place.ingest::<Spotted>(|i| i).await;
    assert_eq!((second.existed, second.made, second.failed), (3, 0, 0), "{second}");
    assert_eq!((second.objects_added, second.embedded), (0, 0), "{second}");
}

#[tokio::test]
async fn a_picture_that_can_not_be_read_says_whose_maker_wanted_it() {
    let place = spotted();
    fs::write(place.path().join("two.png"), "no picture").unwrap();
    fs::remove_file(place.path().join("white.png")).unwrap();
    let report = place.ingest::<Spotted>(|i| i).await;
    assert_eq!((report.failed, report.failures.len()), (2, 2), "{report}");
    for (failure, words) in report.failures.iter().zip(["not a readable image", "does not exist"]) {
        assert!(failure.reason.starts_with("`spots` could not make"), "{report}");
        assert!(failure.reason.contains(words), "{report}");
    }
}

/// Words, which texts share, with a vector each; and the children of children.
#[derive(Debug, DataModel, Serialize, Deserialize)]
struct Song {
    #[adb(id)]
    title: String,
    text: Option<String>,
    #[adb(connect = "HasLine", from = text, by = Lines)]
    #[serde(default)]
    lines: Vec<Line>,
}

#[derive(Debug, DataModel, Serialize, Deserialize)]
#[adb(row_id)]
struct Line {
    text: String,
    #[adb(connect = HasWord, from = text, by = Words)]
    #[serde(default)]
    words: Vec<Linked<HasWord, Word>>,
}

#[derive(Debug, Connection, Serialize, Deserialize)]
struct HasWord {
    place: u64,
}

#[derive(Debug, DataModel, Serialize, Deserialize)]
struct Word {
    #[adb(id)]
    word: String,
    #[adb(embed(from = word, set = Meanings))]
    meaning: Embedding<4>,
}

#[derive(Default)]
struct Lines;
impl ChildMaker for Lines {
    const NAME: &'static str = "lines";
    type From = String;
    type Child = Line;
    fn make(&self, text: &str) -> Result<Vec<Line>, MakeError> {
        Ok(text.lines().map(|l| Line { text: l.to_owned(), words: Vec::new() }).collect())
    }
}

#[derive(Default)]
struct Words;
impl ChildMaker for Words {
    const NAME: &'static str = "words";
    type From = String;
    type Child = Linked<HasWord, Word>;
    fn make(&self, text: &str) -> Result<Vec<Self::Child>, MakeError> {
        let word = |(place, word): (u64, &str)| Linked {
            edge: HasWord { place },
            to: Word { word: word.to_owned(), meaning: Embedding::default() },
        };
        Ok((0..).zip(text.split_whitespace()).map(word).collect())
    }
}

#[tokio::test]
async fn what_is_made_can_make_and_shared_children_are_embedded_once() {
    let place = Place::new(&json!([{"title": "a", "text": "row row row\nyour boat"}]));
    let first = place.ingest::<Song>(|i| i).await;
    assert_eq!((first.added, first.made, first.embedded), (1, 2 + 5, 3), "{first}");
    let db = place.db();
    assert_eq!(count(&*db, "FindEntity", json!({"with_class": "Word"})).await, 3);
    assert_eq!(count(&*db, "FindConnection", json!({"with_class": "HasWord"})).await, 3);
    drop(db);
    // Another song of the same words: they are there, and so are their vectors.
    place.write(&json!([
        {"title": "b", "text": "your row"},
        {"title": "without"},
    ]));
    let second = place.ingest::<Song>(|i| i).await;
    assert_eq!((second.added, second.made, second.embedded), (2, 1 + 2, 0), "{second}");
    let found: Vec<Song> =
        Song::find().filter(|s| s.title.eq("b")).depth(2).fetch(&*place.db()).await.unwrap();
    let mut words: Vec<(u64, &str)> =
        found[0].lines[0].words.iter().map(|w| (w.edge.place, w.to.word.as_str())).collect();
    words.sort_unstable();
    assert_eq!(words, [(0, "your"), (1, "row")]);
}

#[test]
fn schema_and_document_say_who_makes_them() {
    let document = Document::of(Page::SCHEMA);
    let json = serde_json::to_value(&document).unwrap();
    assert_eq!(
        json["models"][0]["fields"][2]["made"],
        json!({"by": "paragraphs", "from": "document", "empty_stands": false})
    );
    assert_eq!(Document::parse(&json.to_string()).unwrap(), document);
    let broken = json.to_string().replace(r#""from":"document""#, r#""from":"elsewhere""#);
    let error = Document::parse(&broken).unwrap_err().to_string();
    assert!(error.contains("`Page.chunks` is made from `elsewhere`"), "{error}");
}

/// Is called as another maker, and makes something else.
struct Impostor;
impl ChildMaker for Impostor {
    const NAME: &'static str = "paragraphs";
    type From = String;
    type Child = Word;
    fn make(&self, _: &str) -> Result<Vec<Word>, MakeError> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn a_maker_that_only_bears_the_name_is_refused() {
    let place = Place::new(&pages());
    let source = JsonSource::<Page>::open(place.path().join("rows.json")).unwrap();
    let ingest = Ingest::new(place.db()).embedder(Plain::new()).maker(Impostor);
    let error = ingest.run(source).await.unwrap_err().to_string();
    assert!(error.contains("it makes `Word`, and the field holds `Chunk`"), "{error}");
}

#[tokio::test]
async fn a_loaded_model_has_its_children_made_as_well() {
    let place = Place::new(&pages());
    let loaded = Document::of(Page::SCHEMA).load().unwrap();
    let maker = Paragraphs::new();
    let run = || async {
        let source = JsonSource::by_model(place.path().join("rows.json"), loaded).unwrap();
        let ingest = Ingest::new(place.db()).embedder(Plain::new()).maker(maker.clone());
        ingest.run(source).await.unwrap()
    };
    let first = run().await;
    assert_eq!((first.added, first.made, first.embedded), (3, 4, 4), "{first}");
    let second = run().await;
    assert_eq!((second.existed, second.objects_added, maker.asked()), (3, 0, 3), "{second}");
    // And the struct finds its own.
    let third = place.ingest::<Page>(|i| i.maker(maker.clone())).await;
    assert_eq!((third.existed, third.objects_added, maker.asked()), (3, 0, 3), "{third}");
}
