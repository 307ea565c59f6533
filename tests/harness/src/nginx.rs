//! A real nginx that answers everything with one word and keeps an access log, as a web server does.

use crate::{
    listening::start,
    process::{Process, required_program},
};
use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt, path::PathBuf};

/// A running nginx. Killed on drop.
#[derive(Debug)]
pub struct Nginx {
    folder: tempfile::TempDir,
    address: SocketAddr,
    _process: Process,
}

impl Nginx {
    /// A server that nobody has asked yet.
    ///
    /// # Panics
    /// When there is no nginx or it does not start; the message holds what it said.
    pub async fn start() -> Nginx {
        let folder = tempfile::Builder::new()
            .prefix("snooze-nginx-")
            .tempdir()
            .expect("a temporary folder can be made");
        // As /var/log/nginx is to those who may read it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let program = required_program("SNOOZE_NGINX", "debian/links/nginx", "nginx");
        let place = folder.path().to_owned();
        let arguments = |port| {
            fs::write(place.join("nginx.conf"), settings(port)).expect("the folder is ours");
            ["-p", &place.to_string_lossy(), "-c", "nginx.conf", "-e", "stderr"]
                .map(str::to_owned)
                .to_vec()
        };
        let (process, address) = start(&program, &folder.path().join("nginx.log"), arguments).await;
        Nginx {
            folder,
            address,
            _process: process,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its access log, in nginx' own combined format.
    #[must_use]
    pub fn access_log(&self) -> PathBuf {
        self.folder.path().join("access.log")
    }
}

/// One process, so that nothing is left when it is killed.
fn settings(port: u16) -> String {
    format!(
        "daemon off; master_process off; pid nginx.pid;\n\
         events {{ worker_connections 64; }}\n\
         http {{\n\
           client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t; scgi_temp_path t;\n\
           server {{ listen 127.0.0.1:{port}; access_log access.log; location / {{ return 200 \"here\\n\"; }} }}\n\
         }}\n"
    )
}
