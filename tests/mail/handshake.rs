//! TLS of the front: what is offered, what is resumed, and what a reload of the certificate changes.

use std::sync::Arc;

use http::StatusCode;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use portreeve::net::tls;
use rustls::ClientConfig;
use rustls::HandshakeKind;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::site::Site;
use crate::site::command;
use crate::world::HOST;

type Sender = http1::SendRequest<Full<Bytes>>;

/// A connection, how its handshake went, and the certificate that the front has for it.
async fn open(
    site: &Site,
    client: &Arc<ClientConfig>,
) -> (Sender, HandshakeKind, CertificateDer<'static>) {
    let stream = TcpStream::connect(site.address).await.unwrap();
    let connector = TlsConnector::from(Arc::clone(client));
    let stream = connector.connect(HOST.try_into().unwrap(), stream).await;
    let stream = stream.unwrap();
    let session = stream.get_ref().1;
    assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
    let kind = session.handshake_kind().unwrap();
    let leaf = session.peer_certificates().unwrap()[0].clone().into_owned();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    (sender, kind, leaf)
}

async fn sync(sender: &mut Sender) {
    sender.ready().await.unwrap();
    let sent = command("good", "Sync", "length", Full::new(Bytes::new()));
    let answer = sender.send_request(sent).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    drop(answer.into_body().collect().await.unwrap());
}

#[tokio::test]
async fn handshakes_are_resumed_and_a_new_certificate_drops_no_connection() {
    let site = Site::start().await;
    let client = site.pki.client(b"http/1.1", None);
    let (mut first, kind, leaf) = open(&site, &client).await;
    assert_eq!(kind, HandshakeKind::Full);
    // The ticket comes with the first answer.
    sync(&mut first).await;
    let (mut second, kind, _) = open(&site, &client).await;
    assert_eq!(kind, HandshakeKind::Resumed);
    sync(&mut second).await;

    let pem = site.pki.server(HOST);
    let renewed = tls::server(tls::ServerPem {
        chain: pem.chain.as_bytes(),
        key: pem.key.as_bytes(),
        client_roots: None,
        upkeep: None,
    });
    site.front.tls.store(Arc::new(renewed.unwrap()));
    sync(&mut first).await;
    sync(&mut second).await;
    let (mut third, kind, renewed) = open(&site, &client).await;
    assert_eq!(
        kind,
        HandshakeKind::Full,
        "tickets of the old one are worth nothing"
    );
    assert_ne!(renewed, leaf);
    sync(&mut third).await;
    site.drain().await;
}
