//! `adb embedders init`

use std::path::PathBuf;

use adb::embedders::{Cache, Draft, Known};

/// Describe the ONNX files in a directory: write a first bundle.json, and say what to check.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb embedders init ./my-model --name my-model")]
pub(crate) struct Init {
    /// The directory.
    dir: PathBuf,
    /// The bundle's name; the directory's without this.
    #[arg(long)]
    name: Option<String>,
    /// The graph that reads images, if there are several.
    #[arg(long, value_name = "FILE")]
    image: Option<String>,
    /// The graph that reads text, if there are several.
    #[arg(long, value_name = "FILE")]
    text: Option<String>,
    /// Replace a bundle.json that is there.
    #[arg(long)]
    replace: bool,
}

impl Init {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut known = Known::default();
        (known.name, known.image, known.text) = (self.name, self.image, self.text);
        let draft = Draft::of(&self.dir, &known, &Cache::from_env()?)?;
        let path = draft.write(self.replace)?;
        println!("{}", path.display());
        draft.found.iter().for_each(|found| println!("- {found}"));
        println!("Guessed; compare with what the model's authors say, and change the file:");
        draft.to_check.iter().for_each(|guess| println!("- {guess}"));
        Ok(())
    }
}
