//! The blobs of objects: as they are stored, or made when they are asked for.

use bytes::Bytes;

use crate::{
    request::{
        fault::{Fail, Fault},
        kind::{Bytes as Source, Kind},
        picture::Picture,
    },
    store::{bytes::Stored, format::class_id},
};

use super::{
    Run,
    picture::{self, Decoded},
    refs::Object,
};

impl Run<'_> {
    /// Puts the objects' blobs into the answer, in order.
    pub(super) fn take_blobs(
        &mut self,
        kind: Kind,
        objects: &[Object],
        picture: &Picture,
    ) -> Result<(), Fail> {
        match kind.traits().bytes {
            Source::None => Ok(()),
            Source::Stored(what) => {
                for object in objects {
                    let bytes = self.store.bytes(what, object.class, object.id)?;
                    let made = match picture.is_untouched() {
                        true => bytes,
                        false => picture::make(&bytes, picture)?.into_owned(),
                    };
                    self.give(made)?;
                }
                Ok(())
            }
            Source::Cropped => self.take_crops(objects, picture),
            Source::Decoded => Err(no_decoder().into()),
        }
    }

    /// The parts of images that boxes and polygons are.
    fn take_crops(&mut self, objects: &[Object], picture: &Picture) -> Result<(), Fail> {
        // Boxes of one image mostly come together.
        let mut last: Option<(i64, Decoded)> = None;
        for object in objects {
            let sql = format!(
                "SELECT container, container_class, x, y, width, height FROM c{} WHERE id = ?",
                object.class
            );
            let (container, class, extent): (i64, i64, [f64; 4]) =
                self.store.conn.prepare_cached(&sql)?.query_row([object.id], |row| {
                    let extent = [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?];
                    Ok((row.get(0)?, row.get(1)?, extent))
                })?;
            if class != class_id::IMAGE {
                return Err(no_decoder().into());
            }
            let decoded = match last.take() {
                Some((id, decoded)) if id == container => decoded,
                _ => picture::decode(&self.store.bytes(Stored::Blob, class, container)?)?,
            };
            let cropped = picture::crop(&decoded, extent, picture.format)?;
            last = Some((container, decoded));
            self.give(cropped)?;
        }
        Ok(())
    }

    fn give(&mut self, blob: Vec<u8>) -> Result<(), Fault> {
        self.grow(blob.len())?;
        self.blobs_out.push(Bytes::from(blob));
        Ok(())
    }
}

fn no_decoder() -> Fault {
    Fault::new(
        "the pictures of clips and frames need a video decoder, which this engine does not have yet; ask for the video's blob and decode it yourself",
    )
    .code("no_decoder")
}
