//! The files of the templates: `plugins/templates` and, where a language has an SDK, the SDK's sources as they are.
//!
//! Each stands here by its name, so that what a build left behind in a checkout is in no plugin.

/// A template.
pub(super) struct Template {
    /// Its own files, by their paths in the plugin's folder.
    pub(super) own: &'static [(&'static str, &'static str)],
    /// Where the SDK is in the plugin's folder.
    pub(super) sdk_folder: &'static str,
    /// The SDK's files, by their paths below that.
    pub(super) sdk: &'static [(&'static str, &'static str)],
}

/// Files of a folder below `plugins`, by their paths in it.
macro_rules! files {
    ($folder:literal: $($path:literal),* $(,)?) => {
        &[$((
            $path,
            include_str!(concat!("../../../../../../plugins/", $folder, "/", $path)),
        )),*]
    };
}

/// A shell.
pub(super) const SHELL: Template = Template {
    own: files!("templates/shell": "README.md", "left-out", "plugin.json", "plugin.sh", "test.sh"),
    sdk_folder: "",
    sdk: &[],
};

/// Python.
pub(super) const PYTHON: Template = Template {
    own: files!("templates/python": "README.md", "gitignore", "left-out", "plugin.json", "plugin.py", "test_plugin.py"),
    sdk_folder: "lib/snooze_plugin",
    sdk: files!("sdk/python/snooze_plugin": "__init__.py", "_bodies.py", "_headers.py", "_json.py", "_methods.py", "_nats.py", "_plugin.py", "_questions.py", "_results.py", "_run.py", "_stdio.py", "_worker.py", "py.typed"),
};

/// Go.
pub(super) const GO: Template = Template {
    own: files!("templates/go": "README.md", "build", "gitignore", "go.mod", "go.sum", "left-out", "main.go", "main_test.go", "plugin.json"),
    sdk_folder: "lib/snooze",
    sdk: files!("sdk/go": "bus.go", "check.go", "failure.go", "go.mod", "go.sum", "headers.go", "lines.go", "message.go", "methods.go", "packed.go", "plugin.go", "run.go", "session.go", "streams_other.go", "streams_unix.go"),
};

/// Rust.
pub(super) const RUST: Template = Template {
    own: files!("templates/rust": "Cargo.toml", "README.md", "build", "gitignore", "left-out", "lib/snooze-plugin/Cargo.toml", "plugin.json", "src/main.rs"),
    sdk_folder: "lib/snooze-plugin",
    sdk: files!("sdk/rust": "src/dispatch.rs", "src/environment.rs", "src/failure.rs", "src/lib.rs", "src/lines.rs", "src/lines/conversation.rs", "src/lines/input.rs", "src/lines/streams.rs", "src/messages.rs", "src/native.rs", "src/nats.rs", "src/nats/address.rs", "src/nats/answers.rs", "src/nats/connection.rs", "src/nats/headers.rs", "src/nats/worker.rs", "src/plugin.rs"),
};

/// TypeScript.
pub(super) const TYPESCRIPT: Template = Template {
    own: files!("templates/typescript": "README.md", "build", "build.mjs", "gitignore", "left-out", "package-lock.json", "package.json", "plugin.json", "src/monitor.ts", "src/plugin.ts", "test.mjs", "tsconfig.json"),
    sdk_folder: "lib/cloudsnooze-plugin",
    sdk: files!("sdk/typescript": "src/bodies.ts", "src/dispatch.ts", "src/headers.ts", "src/index.ts", "src/line-protocol.ts", "src/lines.ts", "src/log.ts", "src/nats.ts", "src/plain.ts", "src/plugin.ts", "src/results.ts", "src/run.ts", "src/service.ts", "src/settings.ts", "src/stdio.ts"),
};
