//! What a database notes of the row that an object was made from, so that the next run sees at a
//! glance that there is nothing to do.

use std::{fmt, str::FromStr};

use twox_hash::XxHash3_128;

use crate::{
    EmbedInput, EmbedderIdentity, Graph, MakeInput, MediaSource, NoFace, Node, NodeId, SetSpec,
    Value,
};

/// What stands on a root as [`ROW`](crate::graph::ROW): which row, which files, and which run wrote
/// it. It is written in the transaction that brings in the whole row, so it is never true of half a
/// row.
///
/// ```
/// use adb_model::RowNote;
/// let note = RowNote { row: 0xabc, media: Some(1), without: 0, run: "20261126-231501042-k3f9x".into() };
/// let text = note.to_string();
/// assert_eq!(text.parse(), Ok(note));
/// assert!(text.ends_with("-20261126-231501042-k3f9x"), "{text}");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowNote {
    /// The row as [`Graph::row_hash`] has it.
    pub row: u128,
    /// A hash of the bytes of all files that the row names; nothing if not all were read.
    pub media: Option<u128>,
    /// How many descriptors were left out, since there was nothing to make them from.
    pub without: usize,
    /// The run that wrote it.
    pub run: String,
}

impl RowNote {
    /// Whether both are of the same row and the same files, which both know.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.row == other.row && self.media.is_some() && self.media == other.media
    }
}

impl fmt::Display for RowNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}-", self.row)?;
        if let Some(media) = self.media {
            write!(f, "{media:032x}")?;
        }
        write!(f, "-{}-{}", self.without, self.run)
    }
}

/// Another adb's note, or nobody's: it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotANote;

impl FromStr for RowNote {
    type Err = NotANote;

    fn from_str(text: &str) -> Result<Self, NotANote> {
        let hash = |text: &str| {
            let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
            digits.then(|| u128::from_str_radix(text, 16).ok()).flatten().ok_or(NotANote)
        };
        let mut parts = text.splitn(4, '-');
        let mut next = || parts.next().ok_or(NotANote);
        let row = hash(next()?)?;
        let media = match next()? {
            "" => None,
            media => Some(hash(media)?),
        };
        let without = next()?.parse().map_err(|_| NotANote)?;
        Ok(Self { row, media, without, run: next()?.to_owned() })
    }
}

impl Graph {
    /// A hash of all that the row says, and of who makes its vectors: the same on every run and
    /// machine. Files and addresses count by their names; what is in the files is not looked at.
    ///
    /// 128 bits of XXH3: good against chance, and as fast as memory. It protects nobody against
    /// somebody who makes two rows alike on purpose.
    ///
    /// To be asked before children are made: those are no part of the row.
    #[must_use]
    pub fn row_hash<'e>(
        &self,
        embedder: impl Fn(&SetSpec) -> Option<&'e EmbedderIdentity>,
    ) -> u128 {
        let mut all = Spelled(Vec::with_capacity(1024));
        for (id, node) in self.node_ids().zip(self.nodes()) {
            all.node(node, !self.is_of_row(id), &embedder);
        }
        for edge in self.edges() {
            all.tag(b'e');
            all.text(edge.class);
            all.number(edge.src.index());
            all.number(edge.dst.index());
            all.text(edge.field.unwrap_or_default());
            all.properties(&edge.properties);
        }
        for task in self.to_make() {
            all.tag(b'm');
            all.number(task.owner.index());
            all.text(task.at.field);
            all.text(task.maker);
            match &task.input {
                MakeInput::Text(text) => all.text(text),
                MakeInput::Media(media) => all.media(media),
            }
        }
        XxHash3_128::oneshot(&all.0)
    }
}

/// Everything with its length or its kind before it, so that no two rows spell the same.
struct Spelled(Vec<u8>);

impl Spelled {
    fn tag(&mut self, tag: u8) {
        self.0.push(tag);
    }

    fn number(&mut self, number: usize) {
        self.0.extend_from_slice(&(number as u64).to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn media(&mut self, media: &MediaSource) {
        match (media, media.origin()) {
            (MediaSource::Bytes(bytes), _) => {
                self.tag(b'b');
                self.0.extend_from_slice(&XxHash3_128::oneshot(bytes).to_le_bytes());
            }
            (_, origin) => {
                self.tag(b'o');
                self.text(&origin.unwrap_or_default());
            }
        }
    }

    fn properties(&mut self, properties: &[(&'static str, Value)]) {
        self.number(properties.len());
        for (name, value) in properties {
            self.text(name);
            let start = self.0.len();
            self.number(0);
            value.write_json(&mut self.0);
            let length = (self.0.len() - start - 8) as u64;
            self.0[start..start + 8].copy_from_slice(&length.to_le_bytes());
        }
    }

    fn node<'e>(
        &mut self,
        node: &Node,
        identified: bool,
        embedder: impl Fn(&SetSpec) -> Option<&'e EmbedderIdentity>,
    ) {
        self.tag(b'n');
        self.text(node.kind.command_suffix());
        self.text(&node.class);
        self.tag(u8::from(node.typed));
        // Where the row stands in its source is no part of what it says.
        self.properties(if identified { node.identity.parts() } else { &[] });
        self.properties(&node.properties);
        if let Some(label) = &node.label {
            self.tag(b'l');
            self.text(label);
        }
        if let Some(container) = node.container {
            self.tag(b'c');
            self.number(container.index());
        }
        if let Some(geometry) = &node.geometry {
            let (parameter, value) = geometry.parameter();
            self.tag(b'g');
            self.text(parameter);
            self.text(&value.to_string());
        }
        if let Some(media) = &node.media {
            self.media(media);
        }
        let Some(descriptor) = &node.descriptor else { return };
        self.tag(b'd');
        self.text(descriptor.set.name);
        self.number(descriptor.owner.map_or(usize::MAX, NodeId::index));
        if let Some(vector) = &descriptor.vector {
            self.tag(b'v');
            self.number(vector.len());
            self.0.extend(vector.iter().flat_map(|x| x.to_le_bytes()));
            return;
        }
        self.text(embedder(&descriptor.set).map_or("", |by| &by.hash));
        match &descriptor.source {
            Some(EmbedInput::Text(text)) => {
                self.tag(b't');
                self.text(text);
            }
            Some(EmbedInput::Image(media)) => {
                self.tag(b'i');
                self.media(media);
            }
            Some(EmbedInput::Region(media, r)) => {
                self.tag(b'r');
                self.media(media);
                for side in [r.x, r.y, r.width, r.height] {
                    self.0.extend_from_slice(&side.to_le_bytes());
                }
            }
            Some(EmbedInput::Face(media, otherwise)) => {
                self.tag(if *otherwise == NoFace::Whole { b'w' } else { b'f' });
                self.media(media);
            }
            Some(EmbedInput::OwnRegion) | None => self.tag(b'-'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClipVitB16, Engine, GraphBuilder, Metric, ObjectKind, graph::Entered};

    const SET: SetSpec = SetSpec::new::<ClipVitB16>("looks", Metric::Cosine, Engine::Flat);

    fn dish(name: &str, caption: &str, photo: &str) -> Graph {
        let mut builder = GraphBuilder::new();
        let id = vec![("id", Value::Int(1))];
        let Ok(Entered::New(dish)) = builder.enter(ObjectKind::Image, "Dish", id) else {
            unreachable!("it is the first")
        };
        builder.property(dish, "name", name.into());
        builder.property(dish, "caption", caption.into());
        builder.media(dish, ObjectKind::Image, "photo", &MediaSource::from_text(photo));
        let source = Some(EmbedInput::Text(caption.to_owned()));
        builder.descriptor(dish, "look", SET, None, source).unwrap();
        builder.finish()
    }

    fn hash(graph: &Graph) -> u128 {
        graph.row_hash(|_| None)
    }

    #[test]
    fn equal_rows_have_equal_hashes_and_others_have_others() {
        let one = hash(&dish("dal", "a bowl", "1.jpg"));
        assert_eq!(one, hash(&dish("dal", "a bowl", "1.jpg")));
        let others = [
            dish("da", "la bowl", "1.jpg"),
            dish("dal", "a bowl", "2.jpg"),
            dish("dal", "", "1.jpg"),
        ];
        assert!(others.iter().all(|other| hash(other) != one));
    }

    #[test]
    fn where_a_row_stands_is_no_part_of_it() {
        let at = |row: u128| {
            let mut builder = GraphBuilder::for_row(uuid::Uuid::from_u128(row));
            let id = vec![("id", Value::Int(1))];
            let Ok(Entered::New(dish)) = builder.enter(ObjectKind::Image, "Dish", id) else {
                unreachable!("it is the first")
            };
            let Ok(Entered::New(plate)) = builder.enter_row(ObjectKind::BoundingBox, "Plate")
            else {
                unreachable!("it is the first")
            };
            builder.relate(dish, plate, crate::Relation::Part, Vec::new());
            builder.finish()
        };
        let ids = [at(1), at(2)].map(|graph| graph.nodes()[1].identity.text());
        assert_ne!(ids[0], ids[1]);
        assert_eq!(hash(&at(1)), hash(&at(2)));
    }

    #[test]
    fn the_embedder_is_a_part_of_it_unless_the_vector_is_given() {
        let by = |hash: &str| EmbedderIdentity {
            name: "clip".into(),
            hash: hash.into(),
            dimensions: 512,
            images: true,
            texts: true,
        };
        let (first, second) = (by("1"), by("2"));
        let mut graph = dish("dal", "a bowl", "1.jpg");
        assert_ne!(graph.row_hash(|_| Some(&first)), graph.row_hash(|_| Some(&second)));
        let look = graph.node_ids().nth(1).unwrap();
        graph.fill(look, vec![0.5; 512]).unwrap();
        assert_eq!(graph.row_hash(|_| Some(&first)), graph.row_hash(|_| Some(&second)));
    }

    /// Written into databases: another value would have every row compared anew.
    #[test]
    fn the_hash_is_that_of_the_databases_that_exist() {
        assert_eq!(
            format!("{:032x}", hash(&dish("dal", "a bowl", "1.jpg"))),
            "fb72f47e2fd8c77740694a7b375ce3fc"
        );
    }

    #[test]
    fn what_is_no_note_is_none() {
        let other = ["", "abc", "0-0-0", "é-", &"0".repeat(70), &format!("+{:031x}--0-r", 1)];
        assert!(other.iter().all(|text| text.parse::<RowNote>().is_err()));
        let note = RowNote { row: 1, media: None, without: 2, run: "r-1".into() };
        assert_eq!(note.to_string().parse(), Ok(note.clone()));
        assert!(!note.is_same(&note), "of files that were not read nothing is known");
    }
}
