//! The witness as a server: the status codes and bodies of C2SP tlog-witness.

use audit_log::{Head, Signer, Tree, WitnessKey, leaf_hash, read_checkpoint};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use tokio_util::sync::CancellationToken;

/// The status line, the head and the body of an answer.
fn ask(address: SocketAddr, request: &str) -> (String, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), head.to_lowercase(), body.to_owned())
}

fn add_checkpoint(address: SocketAddr, body: &str) -> (String, String, String) {
    let head = "POST /add-checkpoint HTTP/1.1\r\nhost: w\r\nconnection: close\r\ncontent-length:";
    ask(address, &format!("{head} {}\r\n\r\n{body}", body.len()))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_as_the_specification_says() {
    let dir = tempfile::tempdir().unwrap();
    let seed = dir.path().join("seed");
    let cosigner = defaultx::witness::cosigner("witness.example/w", &seed).unwrap();
    let key = cosigner.verifier_key();
    assert_eq!(defaultx::witness::cosigner("witness.example/w", &seed).unwrap().verifier_key(), key, "made once");
    let signer = Signer::new("bank.example/audit", &[1; 32]).unwrap();
    let (log_keys, stop) = ([signer.verifier_key()], CancellationToken::new());
    let (listen, state) = ("127.0.0.1:0".parse().unwrap(), dir.path().join("seen"));
    let (address, server) = defaultx::witness::serve(cosigner, &log_keys, &state, listen, stop.clone()).await.unwrap();

    let asked = tokio::task::spawn_blocking(move || {
        let mut tree = Tree::default();
        tree.append(leaf_hash(b"a"), &mut Vec::new());
        let head = Head { log: 0, epoch: 0, size: 1, root: tree.root() };
        let note = signer.sign(&head, 5);
        let unknown = Signer::new("other.example/audit", &[1; 32]).unwrap().sign(&head, 5);
        let forged = Signer::new("bank.example/audit", &[2; 32]).unwrap().sign(&head, 5);
        for (body, status) in [
            ("junk".to_owned(), "400"),
            (format!("old 0\n\n{unknown}"), "404"),
            (format!("old 0\n\n{forged}"), "403"),
            (format!("old 0\nAAAA\n\n{note}"), "400"),
            (format!("old 0\n{}=\n\n{note}", "A".repeat(43)), "422"),
        ] {
            let (line, ..) = add_checkpoint(address, &body);
            assert!(line.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {}", &body[..body.len().min(80)]);
        }
        let (line, head, body) = add_checkpoint(address, &format!("old 1\n\n{note}"));
        assert!(line.contains(" 409 ") && head.contains("content-type: text/x.tlog.size"), "{head}");
        assert_eq!(body, "0\n");
        let (line, _, lines) = add_checkpoint(address, &format!("old 0\n\n{note}"));
        assert!(line.contains(" 200 "), "{line}");
        let seen = ask(address, "GET /checkpoints HTTP/1.1\r\nhost: w\r\nconnection: close\r\n\r\n").2;
        assert_eq!(seen, format!("{note}{lines}"));
        assert!(WitnessKey::parse(&key).unwrap().time_of(&seen).is_some());
        assert_eq!(read_checkpoint(&seen).unwrap().1.size, 1);
    });
    asked.await.unwrap();
    stop.cancel();
    server.join().await.unwrap();
}
