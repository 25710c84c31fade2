//! The blobs of objects: as they are stored, or made when they are asked for.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use crate::{
    error::ErrorKind,
    media::{
        facts::Stretch,
        picture::{self, Decoded},
        video::Open,
    },
    request::{
        fault::{Fail, Fault},
        find::ExtractFrames,
        kind::{Bytes as Source, Kind},
        part::Unit,
        picture::Picture,
        shape::Shape,
        video::Film,
    },
    store::{bytes::Stored, catalog::Target, format::class_id},
};

use super::{Run, body, refs::Object};

/// The parts of one container, each with its place among the objects that were asked for.
type ByContainer<T> = BTreeMap<(i64, i64), Vec<(usize, T)>>;

impl<'a> Run<'a> {
    /// Puts the objects' blobs into the answer, in order.
    pub(super) fn take_blobs(
        &mut self,
        kind: Kind,
        objects: &[Object],
        shape: &Shape,
    ) -> Result<(), Fail> {
        let (picture, film) = (&shape.picture, &shape.film);
        match kind.traits().bytes {
            Source::None => Ok(()),
            Source::Stored(what) => {
                for object in objects {
                    let bytes = self.store.bytes(what, object.class, object.id)?;
                    let made = if !film.is_untouched() {
                        self.film(&bytes)?.make(film, self.room)?
                    } else if !picture.is_untouched() {
                        picture::make(&bytes, picture)?.into_owned()
                    } else {
                        bytes
                    };
                    self.give(made)?;
                }
                Ok(())
            }
            Source::Cropped => self.take_crops(objects, picture),
            Source::Cut => self.take_clips(objects, film),
            Source::Decoded => self.take_frames(objects, picture),
        }
    }

    /// The parts of images and frames that boxes and polygons are.
    fn take_crops(&mut self, objects: &[Object], picture: &Picture) -> Result<(), Fail> {
        let mut wanted: ByContainer<[f64; 4]> = BTreeMap::new();
        for (i, object) in objects.iter().enumerate() {
            let sql = format!(
                "SELECT container_class, container, x, y, width, height FROM c{} WHERE id = ?",
                object.class
            );
            let (container, extent) =
                self.store.conn.prepare_cached(&sql)?.query_row([object.id], |row| {
                    let extent = [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?];
                    Ok(((row.get(0)?, row.get(1)?), extent))
                })?;
            wanted.entry(container).or_default().push((i, extent));
        }
        let mut made = vec![Vec::new(); objects.len()];
        let mut in_frames = Vec::new();
        for ((class, container), parts) in wanted {
            if class == class_id::FRAME {
                in_frames.push((Object { class, id: container }, parts));
                continue;
            }
            let decoded = picture::decode(&self.store.bytes(Stored::Blob, class, container)?)?;
            self.crop(&decoded, &parts, picture, &mut made)?;
        }
        let frames: Vec<Object> = in_frames.iter().map(|(frame, _)| *frame).collect();
        self.each_frame(&frames, |run, i, decoded| {
            run.crop(&decoded, &in_frames[i].1, picture, &mut made)
        })?;
        self.give_all(made);
        Ok(())
    }

    fn crop(
        &mut self,
        decoded: &Decoded,
        parts: &[(usize, [f64; 4])],
        picture: &Picture,
        made: &mut [Vec<u8>],
    ) -> Result<(), Fail> {
        for (i, extent) in parts {
            made[*i] = picture::crop(decoded, *extent, picture.format)?;
            self.grow(made[*i].len())?;
        }
        Ok(())
    }

    /// The stretches of videos that clips are.
    fn take_clips(&mut self, objects: &[Object], film: &Film) -> Result<(), Fail> {
        let mut made = vec![Vec::new(); objects.len()];
        for (video, parts) in self.stretches(objects)? {
            let video = self.store.bytes(Stored::Blob, video.0, video.1)?;
            let open = self.film(&video)?;
            for (i, part) in parts {
                made[i] = open.cut(part, film, self.room)?;
                self.grow(made[i].len())?;
            }
        }
        self.give_all(made);
        Ok(())
    }

    fn take_frames(&mut self, objects: &[Object], picture: &Picture) -> Result<(), Fail> {
        let mut made = vec![Vec::new(); objects.len()];
        self.each_frame(objects, |run, i, decoded| {
            made[i] = picture::work_on(decoded, picture)?;
            run.grow(made[i].len())?;
            Ok(())
        })?;
        self.give_all(made);
        Ok(())
    }

    /// ExtractFrames.
    pub(super) fn extract_frames(
        &mut self,
        extract: &ExtractFrames,
    ) -> Result<Map<String, Json>, Fail> {
        let reference = extract.video;
        let found = self.refs.get(reference)?;
        let [Object { class: class_id::VIDEO, id }] = found.objects[..] else {
            return Err(Fault::new(format!(
                "`video_ref` must name exactly one video, and {reference} does not"
            ))
            .into());
        };
        if found.target != Target::Entity {
            return Err(Fault::new(format!("the reference {reference} names connections")).into());
        }
        let video = self.store.bytes(Stored::Blob, class_id::VIDEO, id)?;
        let open = self.film(&video)?;
        let frames = extract.frames.of(open.facts.frames)?;
        let mut made = vec![Vec::new(); frames.len()];
        let wanted = positions(frames.iter().copied().enumerate());
        self.pictures(&open, &wanted, |run, i, decoded| {
            made[i] = picture::work_on(decoded, &extract.picture)?;
            run.grow(made[i].len())?;
            Ok(())
        })?;
        let first = self.blobs_out.len();
        self.give_all(made);
        let mut answer = body(&[("returned", json!(frames.len()))]);
        if !frames.is_empty() {
            answer.insert("blobs_start".to_owned(), json!(first));
        }
        Ok(answer)
    }

    /// Decodes frames, video by video; hands each out with its position among the objects.
    fn each_frame(
        &mut self,
        objects: &[Object],
        mut each: impl FnMut(&mut Self, usize, Decoded) -> Result<(), Fail>,
    ) -> Result<(), Fail> {
        for (video, parts) in self.stretches(objects)? {
            let video = self.store.bytes(Stored::Blob, video.0, video.1)?;
            let open = self.film(&video)?;
            let numbers = parts.iter().map(|(i, part)| Ok((*i, open.frame(*part)?)));
            let wanted = positions(numbers.collect::<Result<Vec<_>, Fault>>()?);
            self.pictures(&open, &wanted, &mut each)?;
        }
        Ok(())
    }

    /// Decodes frames of one video; hands each out as often as it is wanted.
    fn pictures(
        &mut self,
        open: &Open<'_>,
        wanted: &BTreeMap<u64, Vec<usize>>,
        mut each: impl FnMut(&mut Self, usize, Decoded) -> Result<(), Fail>,
    ) -> Result<(), Fail> {
        let numbers: Vec<u64> = wanted.keys().copied().collect();
        open.pictures(&numbers, |n, picture| {
            for i in wanted.get(&n).into_iter().flatten() {
                each(self, *i, picture.clone().into())?;
            }
            Ok(())
        })
    }

    /// Where in their videos clips and frames lie.
    fn stretches(&self, objects: &[Object]) -> Result<ByContainer<Stretch>, Fail> {
        let mut found: ByContainer<Stretch> = BTreeMap::new();
        for (i, object) in objects.iter().enumerate() {
            let sql = match object.class {
                class_id::CLIP => {
                    "SELECT container_class, container, range_type, range_start, range_stop FROM c8 WHERE id = ?"
                }
                _ => {
                    "SELECT container_class, container,
                        CASE WHEN frame_number IS NOT NULL THEN 1 WHEN time_fraction IS NOT NULL THEN 2 ELSE 3 END,
                        coalesce(frame_number, time_fraction, time_offset),
                        coalesce(frame_number, time_fraction, time_offset) FROM c9 WHERE id = ?"
                }
            };
            let (container, unit, start, stop) =
                self.store.conn.prepare_cached(sql)?.query_row([object.id], |row| {
                    Ok(((row.get(0)?, row.get(1)?), row.get(2)?, row.get(3)?, row.get(4)?))
                })?;
            let unit = Unit::numbered(unit)
                .ok_or_else(|| ErrorKind::Damaged(format!("a part has the unit {unit}")))?;
            found.entry(container).or_default().push((i, Stretch { unit, start, stop }));
        }
        Ok(found)
    }

    /// A video, ready for being worked on.
    fn film(&self, bytes: &[u8]) -> Result<Open<'a>, Fail> {
        if self.sequence.is_some() {
            return Err(Fault::new(
                "videos are not decoded in a request that writes, since all writes would wait for that; ask for the pictures in a request of their own",
            )
            .code("writes")
            .into());
        }
        Ok(self.media.open(bytes, self.until)?)
    }

    fn give(&mut self, blob: Vec<u8>) -> Result<(), Fault> {
        self.grow(blob.len())?;
        self.blobs_out.push(Bytes::from(blob));
        Ok(())
    }

    /// Blobs that [`Run::grow`] knows of.
    fn give_all(&mut self, made: Vec<Vec<u8>>) {
        self.blobs_out.extend(made.into_iter().map(Bytes::from));
    }
}

/// Numbers of frames, each with the positions at which it is wanted.
fn positions(wanted: impl IntoIterator<Item = (usize, u64)>) -> BTreeMap<u64, Vec<usize>> {
    let mut positions: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (i, n) in wanted {
        positions.entry(n).or_default().push(i);
    }
    positions
}
