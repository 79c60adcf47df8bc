//! Requests as phones send them (MS-ASHTTP 2.2.1).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use clap::ValueEnum;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::header;
use http_body_util::Full;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;

use crate::login::Logins;
use crate::login::number;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Command {
    /// New mail.
    Sync,
    /// The list of folders.
    FolderSync,
    /// To be told of new mail.
    Ping,
    /// A mail on its way out.
    SendMail,
    /// A mail into another folder.
    MoveItems,
    /// A look into the mailbox.
    Search,
    /// What the device is.
    Settings,
    /// The rules for devices.
    Provision,
    /// What the server can do; an OPTIONS request, which names no device.
    Options,
}

impl Command {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sync => "Sync",
            Self::FolderSync => "FolderSync",
            Self::Ping => "Ping",
            Self::SendMail => "SendMail",
            Self::MoveItems => "MoveItems",
            Self::Search => "Search",
            Self::Settings => "Settings",
            Self::Provision => "Provision",
            Self::Options => "OPTIONS",
        }
    }

    /// Its code in a base64 query (MS-ASHTTP 2.2.1.1.1.1.2).
    const fn code(self) -> u8 {
        match self {
            Self::Sync | Self::Options => 0,
            Self::SendMail => 1,
            Self::FolderSync => 9,
            Self::MoveItems => 13,
            Self::Search => 16,
            Self::Settings => 17,
            Self::Ping => 18,
            Self::Provision => 20,
        }
    }
}

/// The two forms of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// `Cmd=…&User=…` (MS-ASHTTP 2.2.1.1.1.2).
    Plain,
    /// Octets in base64 (MS-ASHTTP 2.2.1.1.1.1).
    Base64,
}

impl Form {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Base64 => "base64",
        }
    }
}

/// All phones of a run.
pub(super) struct Phones {
    pub(super) users: Logins,
    pub(super) device: String,
    pub(super) form: Form,
    /// Host and port, for the Host header.
    pub(super) authority: String,
    /// Whether the target has scheme and authority, as HTTP/2 wants it.
    pub(super) absolute: bool,
}

impl Phones {
    /// The request of phone `index`, counted round and round.
    pub(super) fn get(&self, index: u64, command: Command, body: Bytes) -> Request<Full<Bytes>> {
        let index = index % self.users.len().max(1);
        let (user, password) = self.users.get(index);
        let device = number(&self.device, index);
        let credentials = BASE64_STANDARD.encode(format!("{user}:{password}"));
        let mut request = Request::new(Full::default());
        let query = match (command, self.form) {
            (Command::Options, _) => String::new(),
            (command, Form::Plain) => plain(command, &user, &device),
            (command, Form::Base64) => base64(command, &device),
        };
        let target = if self.absolute {
            format!("https://{}{PATH}{query}", self.authority)
        } else {
            format!("{PATH}{query}")
        };
        if let Ok(target) = target.parse() {
            *request.uri_mut() = target;
        }
        let headers = request.headers_mut();
        let mut put = |name: header::HeaderName, value: &str| {
            // Names of users may hold what no header can; the server will say 401 then.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        if !self.absolute {
            put(header::HOST, &self.authority);
        }
        put(header::AUTHORIZATION, &format!("Basic {credentials}"));
        put(header::USER_AGENT, "Portreeve-Lab/1.0");
        if command == Command::Options {
            *request.method_mut() = Method::OPTIONS;
            return request;
        }
        if self.form == Form::Plain {
            put(
                header::HeaderName::from_static("ms-asprotocolversion"),
                "14.1",
            );
        }
        if !body.is_empty() {
            put(header::CONTENT_TYPE, "application/vnd.ms-sync.wbxml");
        }
        *request.method_mut() = Method::POST;
        *request.body_mut() = Full::new(body);
        request
    }
}

/// A body that says nothing: gateways do not read it, and the lab's origin does not either.
pub(super) fn filler(octets: u32) -> Bytes {
    vec![0x5a; usize::try_from(octets).unwrap_or(0)].into()
}

/// The body of a Ping that waits so long for folder 1: WBXML of MS-ASWBXML code page 13.
pub(super) fn ping(heartbeat: u32) -> Bytes {
    let mut body = vec![
        0x03, 0x01, 0x6a, 0x00, // WBXML 1.3, no public identifier, UTF-8, no strings
        0x00, 0x0d, // code page Ping
        0x45, // Ping
        0x48, 0x03, // HeartbeatInterval, a string
    ];
    body.extend(heartbeat.to_string().bytes());
    body.extend([
        0x00, 0x01, // its end
        0x49, 0x4a, // Folders, Folder
        0x4b, 0x03, b'1', 0x00, 0x01, // Id
        0x4c, 0x03, // Class
    ]);
    body.extend(b"Email");
    body.extend([0x00, 0x01, 0x01, 0x01, 0x01]);
    body.into()
}

fn plain(command: Command, user: &str, device: &str) -> String {
    format!(
        "?Cmd={}&User={}&DeviceId={}&DeviceType={DEVICE_TYPE}",
        command.name(),
        utf8_percent_encode(user, NON_ALPHANUMERIC),
        utf8_percent_encode(device, NON_ALPHANUMERIC),
    )
}

fn base64(command: Command, device: &str) -> String {
    let mut octets = vec![141, command.code(), 0x09, 0x04];
    let mut field = |value: &[u8]| {
        octets.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
        octets.extend(value.iter().take(255));
    };
    field(device.as_bytes());
    field(&[]); // no policy key
    field(DEVICE_TYPE.as_bytes());
    format!("?{}", BASE64_STANDARD.encode(octets))
}

const PATH: &str = "/Microsoft-Server-ActiveSync";
const DEVICE_TYPE: &str = "iPhone";

#[cfg(test)]
mod tests {
    use super::*;

    fn phones(form: Form) -> Phones {
        Phones {
            users: Logins::read("u{n}@x.test:p{n}+10").unwrap(),
            device: "dev{n}".to_owned(),
            form,
            authority: "mail.test:443".to_owned(),
            absolute: false,
        }
    }

    #[test]
    fn both_forms_name_command_and_device() {
        let request = phones(Form::Plain).get(12, Command::FolderSync, filler(3));
        assert_eq!(request.method(), Method::POST);
        assert_eq!(
            request.uri(),
            "/Microsoft-Server-ActiveSync?Cmd=FolderSync&User=u2%40x%2Etest&DeviceId=dev2&DeviceType=iPhone"
        );
        let credentials = format!("Basic {}", BASE64_STANDARD.encode("u2@x.test:p2"));
        assert_eq!(
            request.headers()[header::AUTHORIZATION],
            credentials.as_str()
        );

        let request = phones(Form::Base64).get(2, Command::Ping, filler(3));
        let query = BASE64_STANDARD
            .decode(request.uri().query().unwrap())
            .unwrap();
        let expected = [&[141, 18, 9, 4, 4][..], b"dev2", &[0, 6], b"iPhone"].concat();
        assert_eq!(query, expected);
        assert!(!request.headers().contains_key("ms-asprotocolversion"));
    }

    #[test]
    fn options_have_no_query_and_no_body() {
        let request = phones(Form::Plain).get(0, Command::Options, filler(3));
        assert_eq!(request.method(), Method::OPTIONS);
        assert_eq!(request.uri(), PATH);
        assert!(!request.headers().contains_key(header::CONTENT_TYPE));
    }
}
