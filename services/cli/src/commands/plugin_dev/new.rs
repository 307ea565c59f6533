//! `snooze plugin new`: a folder with a plugin that runs at once.
//!
//! Everything in it is in this program: nothing is fetched, and a folder that is there is not touched.

mod templates;

use crate::{
    arguments::{Language, PluginNew},
    print,
};
use snooze_service_runtime::{Exit, Failure};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};
use templates::Template;

/// What stands for the plugin's name in a template, in its files and in their paths.
const NAME: &str = "{{name}}";

/// Hidden files go by other names in a template, where they would mean something to this checkout.
const RENAMED: [(&str, &str); 2] = [
    ("gitignore", ".gitignore"),
    ("left-out", snooze_package::LEFT_OUT),
];

/// Makes the folder, and says what to do next.
pub(super) fn new(arguments: &PluginNew) -> Result<(), Failure> {
    let folder = arguments.dir.join(arguments.name.as_str());
    let failed = |error: &io::Error| {
        let text = format!("make {}: {error}", folder.display());
        match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound => Failure::new(Exit::Usage, text),
            _ => Failure::new(Exit::Failed, text),
        }
    };
    // Not with its parents: a misspelt one is a mistake.
    fs::create_dir(&folder).map_err(|error| failed(&error))?;
    let template = Template::of(arguments.lang);
    if let Err(error) = write(&folder, &template, arguments.name.as_str()) {
        // It is ours: it was not there before.
        drop(fs::remove_dir_all(&folder));
        return Err(failed(&error));
    }
    let next = format!("snooze plugin test {}", folder.display());
    print::talk(&format!(
        "{} is a plugin that runs; try it: {next}",
        folder.display()
    ));
    print::lines([folder.display().to_string()])
}

fn write(folder: &Path, template: &Template, name: &str) -> io::Result<()> {
    for (path, text) in template.files() {
        let path = folder.join(path.replace(NAME, name));
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        let is_script = text.starts_with("#!");
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(if is_script { 0o755 } else { 0o644 })
            .open(path)?;
        file.write_all(text.replace(NAME, name).as_bytes())?;
    }
    Ok(())
}

impl Template {
    /// Its own files under the names that they get, and the SDK's below the folder for it.
    fn files(&self) -> impl Iterator<Item = (String, &'static str)> {
        let own = self.own.iter().map(|(path, text)| {
            let renamed = RENAMED.iter().find(|(from, _)| from == path);
            (renamed.map_or(*path, |(_, to)| *to).to_owned(), *text)
        });
        let sdk = self.sdk.iter();
        own.chain(sdk.map(|(path, text)| (format!("{}/{path}", self.sdk_folder), *text)))
    }
}

impl Template {
    fn of(language: Language) -> Template {
        match language {
            Language::Shell => templates::SHELL,
            Language::Python => templates::PYTHON,
            Language::Go => templates::GO,
            Language::Rust => templates::RUST,
            Language::Typescript => templates::TYPESCRIPT,
        }
    }
}

#[cfg(test)]
mod tests;
