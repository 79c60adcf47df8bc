//! nginx and HAProxy as fronts of a mail server: TLS in, HTTP/1.1 on kept connections out, no log,
//! one process on one core, with and without a map of the devices that may pass.

use std::io;

use super::Setting;
use super::contest::About;
use super::folder::text;
use super::program;
use super::program::GENERATOR_CORE;
use super::program::Program;
use crate::load::world;

/// Who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    Nginx,
    HaProxy,
}

/// How a front decides which devices may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision<'a> {
    /// All of them.
    None,
    /// Those in the file of [`write_map`].
    Map(&'a str),
    /// It asks a service at this port for each request (`auth_request` of nginx).
    Ask(u16),
}

/// What every front is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job<'a> {
    /// Where it listens, and where the origin does.
    pub(super) port: u16,
    pub(super) origin: u16,
    /// Its certificate and key, and both in one file.
    pub(super) certificate: &'a str,
    pub(super) key: &'a str,
    pub(super) both: &'a str,
    pub(super) decision: Decision<'a>,
    /// Sets the folders of several apart.
    pub(super) name: &'a str,
}

impl Front {
    /// What its rows say; `devices` are those of its map.
    pub(super) fn about(self, decision: Decision<'_>, devices: u32) -> About {
        let (program, name) = match (self, decision) {
            (Self::Nginx, Decision::None) => ("nginx", "nginx"),
            (Self::Nginx, Decision::Map(_)) => ("nginx", "nginx with map"),
            (Self::Nginx, Decision::Ask(_)) => ("nginx", "nginx with auth_request"),
            (Self::HaProxy, Decision::Map(_)) => ("haproxy", "HAProxy with map"),
            (Self::HaProxy, Decision::None | Decision::Ask(_)) => ("haproxy", "HAProxy"),
        };
        About {
            name,
            version: program::find(program)
                .map_or_else(|| "none".to_owned(), |path| program::version(&path, "-v")),
            logs: "nothing",
            devices: if matches!(decision, Decision::Map(_)) {
                devices
            } else {
                0
            },
        }
    }

    pub(super) fn start(self, setting: &Setting, job: &Job<'_>) -> io::Result<Program> {
        let (program, conf) = match self {
            Self::Nginx => ("nginx", nginx(&text(&setting.folder.path(job.name)), job)),
            Self::HaProxy => ("haproxy", haproxy(job)),
        };
        let missing = || io::Error::other(format!("{program} is not installed"));
        let path = text(&program::find(program).ok_or_else(missing)?);
        let conf = setting
            .folder
            .write(&format!("{}/{program}.conf", job.name), &conf)?;
        let conf = text(&conf);
        let mut command = match self {
            Self::Nginx => vec![path, "-c".to_owned(), conf],
            Self::HaProxy => vec![path, "-db".to_owned(), "-f".to_owned(), conf],
        };
        if self == Self::Nginx {
            // Or it opens the system's log before it has read where its own is.
            command.extend(["-e".to_owned(), "stderr".to_owned()]);
        }
        let log = setting.folder.path(&format!("{}.log", job.name));
        Program::start(&command, &setting.folder.path(job.name), log)
    }
}

/// Starts a service that lets every device pass as cheaply as can be; on the generator's core, for
/// what it takes is no cost of the front.
pub(super) fn start_service(setting: &Setting, port: u16) -> io::Result<Program> {
    let missing = || io::Error::other("nginx is not installed");
    let path = text(&program::find("nginx").ok_or_else(missing)?);
    let folder = setting.folder.path("service");
    let conf = format!(
        "daemon off;\nworker_processes 1;\npid {}/pid;\nerror_log stderr crit;\n\
         events {{ worker_connections 1024; }}\nhttp {{\naccess_log off;\n\
         keepalive_requests 1000000000;\n\
         server {{ listen 127.0.0.1:{port}; location / {{ return 204; }} }}\n}}\n",
        text(&folder),
    );
    let conf = text(&setting.folder.write("service/nginx.conf", &conf)?);
    let command = [
        path,
        "-c".to_owned(),
        conf,
        "-e".to_owned(),
        "stderr".to_owned(),
    ];
    let log = setting.folder.path("service.log");
    Program::start_on(GENERATOR_CORE, &command, &folder, log)
}

/// A line for each device that may pass, as both read it: nginx wants its lines ended.
pub(super) fn write_map(setting: &Setting, front: Front, devices: u32) -> io::Result<String> {
    let (name, end) = match front {
        Front::Nginx => ("devices.nginx", ";"),
        Front::HaProxy => ("devices.haproxy", ""),
    };
    let lines: String = (0..devices)
        .map(|n| format!("{} 1{end}\n", world::eas_id(n)))
        .collect();
    setting.folder.write(name, &lines).map(|path| text(&path))
}

fn nginx(folder: &str, job: &Job<'_>) -> String {
    let Job {
        port,
        origin,
        certificate,
        key,
        ..
    } = job;
    // Workers of root's become somebody else, who cannot read in our folder.
    let user = if nix::unistd::geteuid().is_root() {
        "user root;\n"
    } else {
        ""
    };
    let (map, decision) = match job.decision {
        Decision::Map(map) => (
            format!(
                "map_hash_max_size 4194304;\nmap_hash_bucket_size 128;\n\
                 map $arg_DeviceId $passes {{ default 0; include {map}; }}\n"
            ),
            "if ($passes = 0) { return 403; }\n",
        ),
        Decision::Ask(_) => (String::new(), "auth_request /decision;\n"),
        Decision::None => (String::new(), ""),
    };
    let service = match job.decision {
        Decision::Ask(port) => (
            format!("upstream service {{ server 127.0.0.1:{port}; keepalive 256; }}\n"),
            "location = /decision {\ninternal;\nproxy_pass http://service;\n\
             proxy_http_version 1.1;\nproxy_set_header Connection \"\";\n\
             proxy_pass_request_body off;\nproxy_set_header Content-Length \"\";\n}\n",
        ),
        Decision::Map(_) | Decision::None => (String::new(), ""),
    };
    let (service, ask) = service;
    format!(
        "{user}daemon off;\nworker_processes 1;\nworker_rlimit_nofile {DESCRIPTORS};\n\
         pid {folder}/pid;\nerror_log stderr crit;\nevents {{ worker_connections {DESCRIPTORS}; }}\n\
         http {{\naccess_log off;\nclient_body_temp_path {folder}/body;\n\
         proxy_temp_path {folder}/proxy;\nkeepalive_requests 1000000000;\nkeepalive_timeout 1h;\n{map}{service}\
         upstream origin {{ server 127.0.0.1:{origin}; keepalive 256; \
         keepalive_requests 1000000000; keepalive_timeout 1h; }}\n\
         server {{\nlisten 127.0.0.1:{port} ssl http2 backlog=4096;\nssl_certificate {certificate};\n\
         ssl_certificate_key {key};\nssl_protocols TLSv1.2 TLSv1.3;\nclient_max_body_size 0;\n\
         location / {{\n{decision}proxy_pass http://origin;\nproxy_http_version 1.1;\n\
         proxy_set_header Connection \"\";\nproxy_set_header Host $host;\n\
         proxy_read_timeout 1h;\nproxy_buffers 16 8k;\n}}\n{ask}}}\n}}\n"
    )
}

fn haproxy(job: &Job<'_>) -> String {
    let Job {
        port, origin, both, ..
    } = job;
    let decision = match job.decision {
        Decision::None | Decision::Ask(_) => String::new(),
        Decision::Map(map) => format!(
            "  http-request deny deny_status 403 unless \
             {{ url_param(DeviceId),map_str({map}) -m found }}\n"
        ),
    };
    format!(
        "global\n  nbthread 1\n\
         defaults\n  mode http\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n  \
         timeout http-keep-alive 1h\n  http-reuse always\n\
         frontend mail\n  bind 127.0.0.1:{port} ssl crt {both} alpn h2,http/1.1 backlog 4096\n\
         {decision}  default_backend origin\n\
         backend origin\n  server origin 127.0.0.1:{origin} pool-max-conn -1\n"
    )
}

/// More than a run needs, less than systems allow.
const DESCRIPTORS: u32 = 19_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fronts_decide_only_where_they_are_told_to() {
        for (decision, map, asks) in [
            (Decision::None, false, false),
            (Decision::Map("map"), true, false),
            (Decision::Ask(3), false, true),
        ] {
            let job = Job {
                port: 1,
                origin: 2,
                certificate: "c",
                key: "k",
                both: "b",
                decision,
                name: "n",
            };
            assert_eq!(
                nginx("f", &job).contains("return 403"),
                map,
                "row {decision:?}"
            );
            assert_eq!(
                nginx("f", &job).contains("auth_request"),
                asks,
                "row {decision:?}"
            );
            assert_eq!(
                haproxy(&job).contains("deny_status 403"),
                map,
                "row {decision:?}"
            );
        }
    }
}
