//! What needs no process of its own, in one program: each program is linked with all of the facade,
//! which takes seconds and some 140 MB.

mod attributes;
mod audit;
mod by_model;
mod document;
mod embedded;
mod faces;
mod figures;
mod golden;
mod ingest;
mod made;
mod migrate;
mod names;
mod project;
mod reading;
mod round_trip;
mod sdk;
mod sdk_csv;
mod shards;
mod shared_sets;
mod structure;
mod typed;
mod upsert;
