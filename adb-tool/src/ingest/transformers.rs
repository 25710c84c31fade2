//! The Python SDK's transformers, by its names.

use std::{fmt, path::Path, str::FromStr, sync::Arc};

use adb::{
    Database, EmbedderIdentity, Engine, Metric, SetSpec,
    embedders::{Bundle, Chooser, OnnxEmbedder},
    loaders::{
        self, ImageDescriptors, SdkCsv,
        sdk::transform::{CommonProperties, ImageProperties},
    },
};
use anyhow::Context as _;

use crate::{embedders::chooser, out};

/// A transformer, and the embedder that it is asked to take.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) name: Name,
    embedder: Option<String>,
    text: String,
}

/// The SDK's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    CommonProperties,
    ImageProperties,
    Clip,
    Facenet,
}

impl Name {
    const ALL: [Self; 4] =
        [Self::CommonProperties, Self::ImageProperties, Self::Clip, Self::Facenet];

    const fn text(self) -> &'static str {
        match self {
            Self::CommonProperties => "common_properties",
            Self::ImageProperties => "image_properties",
            Self::Clip => "clip_pytorch_embeddings",
            Self::Facenet => "facenet_pytorch_embeddings",
        }
    }

    /// The embedder that the SDK has there.
    const fn own_embedder(self) -> Option<&'static str> {
        match self {
            Self::Clip => Some("clip-vit-b-16"),
            Self::Facenet => Some("facenet-512"),
            _ => None,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl FromStr for Asked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, embedder) = match text.split_once('=') {
            Some((name, embedder)) => (name, Some(embedder.to_owned())),
            None => (text, None),
        };
        let found = Name::ALL.into_iter().find(|known| known.text() == name);
        let name = found.ok_or_else(|| {
            let names: Vec<&str> = Name::ALL.iter().map(|name| name.text()).collect();
            format!("there is no transformer `{name}`; there are {}", names.join(", "))
        })?;
        if embedder.is_some() && name.own_embedder().is_none() {
            return Err(format!("`{name}` takes no embedder"));
        }
        Ok(Self { name, embedder, text: text.to_owned() })
    }
}

impl Asked {
    /// As it was asked for.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn embedder(&self) -> Option<&str> {
        self.embedder.as_deref().or(self.name.own_embedder())
    }

    /// The bundle that it asks for. Nothing stands in for it: vectors of another would be put into
    /// its set.
    pub(crate) async fn bundle(&self) -> anyhow::Result<(Chooser, Bundle)> {
        let chooser = chooser()?;
        let asked = self.embedder().unwrap_or_default().to_owned();
        let bundle = tokio::task::spawn_blocking({
            let (chooser, asked) = (chooser.clone(), asked.clone());
            move || chooser.bundle(&asked)
        });
        let other = match self.name {
            Name::Facenet => "facenet-128",
            _ => "starter-512",
        };
        let bundle = bundle.await?.with_context(|| {
            format!(
                "--transformer {0} can't have its embedder `{asked}`, so nothing was made; name another one, such as `--transformer {0}={other}` or a bundle's directory",
                self.name
            )
        })?;
        Ok((chooser, bundle))
    }
}

/// A transformer that is ready.
pub(crate) struct Chosen {
    name: Name,
    descriptors: Option<(SetSpec, Arc<OnnxEmbedder>)>,
}

/// Finds the embedders that transformers need, and says which they are.
pub(crate) async fn choose(asked: &[Asked], db: &dyn Database) -> anyhow::Result<Vec<Chosen>> {
    let mut all = Vec::with_capacity(asked.len());
    for asked in asked {
        let Some(embedder) = asked.embedder() else {
            all.push(Chosen { name: asked.name, descriptors: None });
            continue;
        };
        let (chooser, bundle) = asked.bundle().await?;
        let set = set_of(bundle.identity());
        let chosen = chooser.choose(db, &set, Some(embedder)).await?;
        chosen.notices.iter().for_each(out::notice);
        out::notice(format_args!("{}: descriptors go into the set `{}`", asked.name, set.name));
        all.push(Chosen { name: asked.name, descriptors: Some((set, chosen.embedder)) });
    }
    Ok(all)
}

/// The set that the SDK would put the vectors of a model into; of models that it does not have, the
/// one that bears their name.
fn set_of(bundle: &EmbedderIdentity) -> SetSpec {
    let name = match bundle.name.as_str() {
        "clip-vit-b-16" => "ViT-B/16",
        "clip-vit-b-32" => "ViT-B/32",
        "clip-vit-l-14" => "ViT-L/14",
        "facenet-512" => "facenet_pytorch_embeddings",
        other => other,
    };
    let mut set = SetSpec::named(name);
    set.dimensions = bundle.dimensions;
    (set.metric, set.engine) = (Metric::Cosine, Engine::Hnsw);
    set
}

impl Chosen {
    /// Gives a file's rows this transformer.
    pub(crate) fn give(
        &self,
        ingest: loaders::Ingest,
        source: SdkCsv,
    ) -> (loaders::Ingest, SdkCsv) {
        match (&self.name, &self.descriptors) {
            (Name::CommonProperties, _) => {
                let common = common(&source);
                (ingest, source.transform(common))
            }
            (_, Some((set, embedder))) => {
                let faces = self.name == Name::Facenet;
                let source = source.describe(ImageDescriptors { set: *set, faces });
                (ingest.embedder_for(set.name, embedder.clone()), source)
            }
            (_, None) => (ingest, source.transform(ImageProperties)),
        }
    }
}

/// What the SDK's command line says of where rows come from.
fn common(source: &SdkCsv) -> CommonProperties {
    let file = source.path().file_name().map(Path::new).unwrap_or(source.path());
    CommonProperties {
        data_source: Some(format!("IngestType.{}.{}", source.kind(), file.display())),
        ..CommonProperties::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_sdks_and_may_name_an_embedder() {
        let asked: Asked = "clip_pytorch_embeddings=starter-512".parse().unwrap();
        assert_eq!((asked.name, asked.embedder()), (Name::Clip, Some("starter-512")));
        let asked: Asked = "clip_pytorch_embeddings".parse().unwrap();
        assert_eq!(asked.embedder(), Some("clip-vit-b-16"));
        assert!("common_properties=x".parse::<Asked>().is_err());
        assert!("clip".parse::<Asked>().unwrap_err().contains("image_properties"));
    }

    #[test]
    fn sets_are_named_after_their_model() {
        let identity = |name: &str| EmbedderIdentity {
            name: name.into(),
            hash: String::new(),
            dimensions: 512,
            images: true,
            texts: true,
        };
        assert_eq!(set_of(&identity("clip-vit-b-16")).name, "ViT-B/16");
        assert_eq!(set_of(&identity("starter-512")).name, "starter-512");
        assert_eq!(set_of(&identity("starter-512")).dimensions, 512);
    }
}
