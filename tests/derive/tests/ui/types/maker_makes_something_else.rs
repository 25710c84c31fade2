use adb::prelude::*;

#[derive(DataModel)]
struct Page {
    #[adb(id)]
    id: u64,
    text: String,
    // The splitter makes chunks, and these are words.
    #[adb(connect = "HasWord", from = text, by = Splitter)]
    words: Vec<Word>,
    // How many there are is the splitter's matter.
    #[adb(connect = "HasChunk", from = text, by = Splitter)]
    chunk: Option<Chunk>,
    #[adb(connect = "HasChunk", from = text, by = Splitter)]
    chunks: Vec<Chunk>,
}

#[derive(DataModel)]
#[adb(row_id)]
struct Chunk {
    text: String,
}

#[derive(DataModel)]
struct Word {
    #[adb(id)]
    word: String,
}

struct Splitter;

impl ChildMaker for Splitter {
    const NAME: &'static str = "splitter";
    type From = String;
    type Child = Chunk;
    fn make(&self, _: &str) -> Result<Vec<Chunk>, MakeError> {
        Ok(Vec::new())
    }
}

fn main() {}
