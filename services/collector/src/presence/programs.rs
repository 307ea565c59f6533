//! The programs through which people work on a host without a terminal, by their command lines.
//!
//! These tables are all that is known of other people's programs; a new one is a line here.

/// What a program is to its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Program {
    /// The server half of an IDE; somebody works with it while a client is connected.
    Ide(&'static str),
    /// A notebook server.
    NotebookServer,
    /// What runs a notebook's cells.
    NotebookKernel,
    /// A display server.
    Display,
}

/// Parts of a path that only an IDE's server has, and what it is called.
const IDES: [(&str, &str); 15] = [
    (".vscode-server/", "VS Code"),
    (".vscode-server-insiders/", "VS Code"),
    (".vscode-remote/", "VS Code"),
    (".vscodium-server/", "VSCodium"),
    (".cursor-server/", "Cursor"),
    (".windsurf-server/", "Windsurf"),
    (".positron-server/", "Positron"),
    ("/code-server", "code-server"),
    ("openvscode-server", "openvscode-server"),
    ("/JetBrains/RemoteDev", "JetBrains"),
    ("remote-dev-server", "JetBrains"),
    (".zed_server/", "Zed"),
    ("zed-remote-server", "Zed"),
    ("rstudio-server/bin/", "RStudio"),
    ("theia/", "Theia"),
];

/// Parts of a word that only a notebook server's command line has.
const NOTEBOOK_SERVERS: [&str; 7] = [
    "jupyter-lab",
    "jupyter-notebook",
    "jupyter-server",
    "jupyterhub-singleuser",
    "jupyterlab",
    "jupyter_server",
    "notebook/__main__.py",
];

/// The same for a kernel's.
const NOTEBOOK_KERNELS: [&str; 6] = [
    "ipykernel_launcher",
    "ipykernel",
    "IRkernel::main",
    "IJulia",
    "xpython",
    "almond",
];

/// Display servers by the last part of their path.
const DISPLAYS: [&str; 8] = [
    "Xorg",
    "X",
    "Xwayland",
    "Xvfb",
    "Xvnc",
    "Xtigervnc",
    "Xephyr",
    "Xdcv",
];

/// Only the first words name a program; what follows may be anything.
const WORDS: usize = 6;

/// The program behind a command line as `/proc/<pid>/cmdline` has it.
pub(super) fn of(command_line: &[u8]) -> Option<Program> {
    let words: Vec<_> = command_line
        .split(|byte| *byte == 0)
        .take(WORDS)
        .map(String::from_utf8_lossy)
        .collect();
    let has = |marks: &[&str]| {
        words
            .iter()
            .any(|word| marks.iter().any(|mark| word.contains(mark)))
    };
    let first = words.first()?.rsplit('/').next().unwrap_or_default();
    if DISPLAYS.contains(&first) {
        return Some(Program::Display);
    }
    if has(&NOTEBOOK_KERNELS) {
        return Some(Program::NotebookKernel);
    }
    if has(&NOTEBOOK_SERVERS) {
        return Some(Program::NotebookServer);
    }
    IDES.iter()
        .find(|(mark, _)| has(&[mark]))
        .map(|(_, name)| Program::Ide(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_the_programs_that_people_work_with_are_known() {
        let cases: [(&[u8], Option<Program>); 8] = [
            (
                b"/home/u/.vscode-server/cli/servers/Stable-1/server/node\0out/server-main.js\0",
                Some(Program::Ide("VS Code")),
            ),
            (
                b"/home/u/.cursor-server/bin/1/node\0",
                Some(Program::Ide("Cursor")),
            ),
            (
                b"/home/u/.cache/JetBrains/RemoteDev/dist/1/bin/remote-dev-server\0run\0",
                Some(Program::Ide("JetBrains")),
            ),
            (
                b"/usr/bin/python3\0/usr/local/bin/jupyter-lab\0--port=8888\0",
                Some(Program::NotebookServer),
            ),
            (
                b"python3\0-m\0ipykernel_launcher\0-f\0/tmp/kernel-1.json\0",
                Some(Program::NotebookKernel),
            ),
            (b"/usr/lib/xorg/Xorg\0:0\0", Some(Program::Display)),
            (b"/bin/sh\0-e\0build.sh\0", None),
            (b"", None),
        ];
        for (line, program) in cases {
            assert_eq!(of(line), program, "{}", String::from_utf8_lossy(line));
        }
    }
}
