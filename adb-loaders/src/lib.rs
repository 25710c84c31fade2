//! Sources, embedders and the pipeline.
