//! `adb embedders ls`

use std::{fs, path::Path};

use adb::embedders::{Cache, Manifest, Origin, Preset};

use comfy_table::{Table, presets};

/// List the presets and the bundles in the cache.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb embedders ls")]
pub(crate) struct Ls {}

impl Ls {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let cache = Cache::from_env()?;
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["NAME", "DIMENSIONS", "READS", "SIZE", "FROM", "HERE", "TRIED"]);
        for preset in Preset::all() {
            let from = match preset.origin {
                Origin::Hub { repository } => format!("hub: {repository}"),
                Origin::Built { script } => format!("built: {script}"),
                _ => "your own files".to_owned(),
            };
            table.add_row([
                preset.name,
                &preset.dimensions.to_string(),
                reads(preset.images, preset.texts),
                &format!("about {} MB", preset.about_bytes / 1_000_000),
                &from,
                here(&cache, preset.name),
                if preset.tried { "yes" } else { "no" },
            ]);
        }
        for name in others(cache.root()) {
            let Ok(Some(bundle)) = cache.bundle(&name) else { continue };
            let Manifest { dimensions, image, text, files, .. } = bundle.manifest();
            let bytes: u64 = files.values().map(|entry| entry.bytes).sum();
            table.add_row([
                &name,
                &dimensions.to_string(),
                reads(image.is_some(), text.is_some()),
                &format!("{} MB", bytes / 1_000_000),
                "your own",
                "yes",
                "",
            ]);
        }
        println!("{table}");
        println!(
            "TRIED no: the preset was never run against its real files.\nThe cache is {}.",
            cache.root().display()
        );
        Ok(())
    }
}

fn reads(images: bool, texts: bool) -> &'static str {
    match (images, texts) {
        (true, true) => "images, text",
        (true, false) => "images",
        _ => "text",
    }
}

fn here(cache: &Cache, name: &str) -> &'static str {
    match cache.bundle(name) {
        Ok(Some(_)) => "yes",
        Ok(None) => "no",
        Err(_) => "damaged",
    }
}

/// Names in the cache that no preset has.
fn others(cache: &Path) -> Vec<String> {
    let entries = fs::read_dir(cache.join("embedders")).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> =
        names.filter(|name| !name.starts_with('.') && Preset::named(name).is_none()).collect();
    names.sort();
    names
}
