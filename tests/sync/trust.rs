//! TLS to a source: only a server that the trusted roots vouch for hears the token.

use std::sync::Arc;

use portreeve::sync::Base;
use rcgen::CertifiedKey;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::lab::DEVICES;
use crate::lab::Lab;
use crate::lab::Tenant;
use crate::lab::reason;

#[tokio::test]
async fn a_server_is_trusted_by_the_configured_roots_only() {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(refuse_everybody(
        listener,
        TlsAcceptor::from(Arc::new(config)),
    ));

    let tenant = Tenant::new(1, 1).await;
    let roots = tenant.folder.path().join("roots.pem");
    std::fs::write(&roots, cert.pem()).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let other_roots = tenant.folder.path().join("other.pem");
    std::fs::write(&other_roots, other.cert.pem()).unwrap();
    for (roots, told) in [
        (roots, "418 I'm a teapot"),
        (other_roots, "the certificate's signature is wrong"),
    ] {
        let mut source = tenant.source();
        source.login = Base::parse(&format!("https://{address}")).unwrap();
        source.ca_file = Some(roots);
        let lab = Lab::of(source);
        let status = lab.until(DEVICES, |s| s.counters.failures > 0).await;
        assert!(reason(&status).contains(told), "row {told}: {status:?}");
    }
}

/// Reads a request and answers 418, which nobody mistakes for another failure.
async fn refuse_everybody(listener: TcpListener, acceptor: TlsAcceptor) {
    while let Ok((stream, _)) = listener.accept().await {
        let Ok(mut stream) = acceptor.accept(stream).await else {
            continue;
        };
        let mut request = [0; 4096];
        let answer = b"HTTP/1.1 418 I'm a teapot\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        if stream.read(&mut request).await.is_ok() && stream.write_all(answer).await.is_ok() {
            drop(stream.shutdown().await);
        }
    }
}
