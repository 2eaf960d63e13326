//! Notes leave the database: to a file, to two clusters, to a witness over HTTP, to a time-stamping authority.

use crate::events::Topics;
use crate::stand::{Writer, client};
use crate::stream::{broker, database, make_topics, published, stack};
use audit_sink::cosignature::Cosigner;
use audit_sink::note::{NoteVerifier, notes, read};
use audit_sink::promises::Word;
use audit_sink::signer::{SignerConfig, WitnessConfig, start};
use audit_sink::verify::{Options, run};
use audit_sink::witness::{Answer, Witness};
use runtime::pg::DatabaseConfig;
use runtime::service::ServiceContext;
use schemas::Topic;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);
const AT: i64 = 1_790_000_200;

/// Serves the witness's answers, one connection after another, for as long as the process lives; gives the address.
fn serve(witness: Arc<Witness>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = move || listener.incoming().for_each(|stream| answer(&witness, stream.unwrap()));
    drop(runtime::task::thread("witness", serving).unwrap());
    format!("http://{address}/w/")
}

/// The first line of a request and its body.
fn request(stream: &TcpStream) -> (String, Vec<u8>) {
    let (mut reader, mut length, mut first) = (BufReader::new(stream.try_clone().unwrap()), 0, String::new());
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (first, body)
}

fn answer(witness: &Witness, mut stream: TcpStream) {
    let (first, body) = request(&stream);
    assert_eq!(first, "POST /w/add-checkpoint HTTP/1.1\r\n");
    let (status, text) = match witness.add_checkpoint(&String::from_utf8(body).unwrap(), AT).unwrap() {
        Answer::Cosigned(lines) => ("200 OK", lines),
        Answer::Seen(size) => ("409 Conflict", format!("{size}\n")),
        other => ("422 Unprocessable Entity", format!("{other:?}")),
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}", text.len());
    stream.write_all(head.as_bytes()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_go_to_a_file_to_another_cluster_and_to_a_witness() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside");
    if dir.exists() {
        std::fs::remove_dir_all(&dir).unwrap();
    }
    let config = SignerConfig {
        origin: "it.example/audit".to_owned(),
        key: "03".repeat(32).into(),
        interval_s: 1,
        verify_interval_s: 0,
        notes_dir: dir.join("notes").display().to_string(),
        ..SignerConfig::default()
    };
    let key = config.verifier_keys().unwrap().remove(0);
    let cosigner = Cosigner::new("witness.example/w", &[7; 32]).unwrap();
    let witness_key = cosigner.verifier_key();
    let witness = Witness::new(cosigner, vec![NoteVerifier::parse(&key).unwrap()], &dir.join("seen")).unwrap();
    let url = tokio::task::spawn_blocking(move || serve(Arc::new(witness))).await.unwrap();
    let (own, other) = (broker(stack().await, "notes."), broker(stack().await, "elsewhere."));
    for cluster in [&own, &other] {
        make_topics(cluster, [Topic::Checkpoints.base_name().to_owned()].into_iter()).await;
    }
    let config = SignerConfig {
        witnesses: vec![WitnessConfig { url, key: witness_key.clone() }],
        cluster: other.clone(),
        ..config
    };

    let database = database("outside").await;
    let mut writer = Writer::new(&database).await;
    let (mut topics, session) = (Topics::default(), client(&database).await);
    for (story, entries) in [(0..1, 9i64), (1..60, 540)] {
        writer.write(&story.flat_map(|n| topics.story(n)).collect::<Vec<_>>()).await.unwrap();
        let mut service = ServiceContext::new(own.clone());
        service.database = Some(DatabaseConfig { url: database.as_str().into(), ..DatabaseConfig::default() });
        let workers = start(&config, service.clone()).unwrap();
        let out = "SELECT (SELECT count(*) FROM defaultx.audit_publications WHERE size = $1)
                        + (SELECT count(*) FROM defaultx.audit_cosignatures WHERE size = $1)";
        let started = Instant::now();
        while session.query_one(out, &[&entries]).await.unwrap().get::<_, i64>(0) < 3 {
            assert!(started.elapsed() < PATIENCE, "the notes of {entries} entries do not come out");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(service.health.states()["audit-signer"].ready);
        service.shutdown.cancel();
        for worker in workers {
            worker.join().await.unwrap();
        }
    }

    let newest = tokio::task::spawn_blocking(move || [published(&own), published(&other)]).await.unwrap();
    let file = std::fs::read_to_string(dir.join("notes/0.notes")).unwrap();
    assert_eq!(notes(&file).last(), Some(&newest[0]));
    assert_eq!(newest[0], newest[1]);
    assert_eq!(read(&newest[0]).unwrap().1.size, 540);

    // The witness's own file, and the signer's copy, each by the witness's key alone: the log's key may be anybody's by then.
    let cosigned = std::fs::read_to_string(dir.join("notes/0.cosigned")).unwrap();
    assert_eq!(notes(&cosigned).len(), 2);
    let seen =
        std::fs::read_dir(dir.join("seen")).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    for kept in [vec![cosigned], seen.collect()] {
        let options = Options { witnesses: vec![witness_key.clone()], kept, ..Options::default() };
        let report = run(&database, &options).await.unwrap();
        assert!(report.is_whole() && report.logs[0].covered == 540, "{report}");
        let witnessed = report.promises.iter().find(|promise| promise.promise == Word::Witnesses).unwrap();
        assert!(witnessed.checked, "{report}");
    }
}

const AUTHORITY: &str = "[tsa]\ndefault_tsa = it\n[it]\nserial = serial\ncrypto_device = builtin\nsigner_digest = sha256\n\
    default_policy = 1.2.3.4.1\ndigests = sha256\ness_cert_id_alg = sha256\n";

fn openssl(dir: &Path, arguments: &str) -> String {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// OpenSSL as a time-stamping authority, for as long as the process lives; gives the address.
fn authority(dir: &Path) -> String {
    std::fs::write(dir.join("tsa.cnf"), AUTHORITY).unwrap();
    std::fs::write(dir.join("serial"), "01\n").unwrap();
    openssl(
        dir,
        "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=it -addext extendedKeyUsage=critical,timeStamping",
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, dir) = (listener.local_addr().unwrap(), dir.to_owned());
    let serving = move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::fs::write(dir.join("query"), request(&stream).1).unwrap();
            openssl(
                &dir,
                "ts -reply -config tsa.cnf -section it -queryfile query -inkey key.pem -signer cert.pem -out reply",
            );
            let reply = std::fs::read(dir.join("reply")).unwrap();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", reply.len());
            stream.write_all(&[head.as_bytes(), &reply].concat()).unwrap();
        }
    };
    drop(runtime::task::thread("authority", serving).unwrap());
    format!("http://{address}/")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_is_time_stamped_and_openssl_says_so() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stamped");
    if dir.exists() {
        std::fs::remove_dir_all(&dir).unwrap();
    }
    std::fs::create_dir_all(&dir).unwrap();
    let place = dir.clone();
    let timestamp_url = tokio::task::spawn_blocking(move || authority(&place)).await.unwrap();
    let config = SignerConfig {
        origin: "it.example/audit".to_owned(),
        key: "03".repeat(32).into(),
        interval_s: 1,
        verify_interval_s: 0,
        timestamp_url,
        timestamp_interval_s: 1,
        notes_dir: dir.join("notes").display().to_string(),
        ..SignerConfig::default()
    };
    let own = broker(stack().await, "stamped.");
    make_topics(&own, [Topic::Checkpoints.base_name().to_owned()].into_iter()).await;
    let database = database("stamped").await;
    Writer::new(&database).await.write(&Topics::default().story(0)).await.unwrap();
    let mut service = ServiceContext::new(own);
    service.database = Some(DatabaseConfig { url: database.as_str().into(), ..DatabaseConfig::default() });
    let workers = start(&config, service.clone()).unwrap();
    let (stamp, started) = (dir.join("notes/0.0-9.tsr"), Instant::now());
    while !stamp.exists() {
        assert!(started.elapsed() < PATIENCE, "no time stamp comes");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    service.shutdown.cancel();
    for worker in workers {
        worker.join().await.unwrap();
    }
    let verified = openssl(&dir, "ts -verify -data notes/0.0-9.note -in notes/0.0-9.tsr -CAfile cert.pem");
    assert!(verified.contains("Verification: OK"), "{verified}");
}
