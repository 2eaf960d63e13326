use crate::fixture::{accepted, activation, applications, digest_of, models, room};
use runtime::stream::{HandleError, Verdict};
use schemas::risk::RiskEvent;
use scorer::{Config, Error, Library, Routes};

fn with_route(product: &str, package: &str) -> Config {
    let mut config = Config::default();
    config.route.insert(product.to_owned(), package.to_owned());
    config
}

#[test]
fn activation_records_are_kept_by_position_and_passed_on() {
    let mut room = room(&Config::default());
    let digest = digest_of("taiwan-lightgbm");
    let record = activation("model", "taiwan-lightgbm", "1.0.0", &digest, 1);
    let (verdicts, outputs) = room.control(&record).unwrap();
    assert_eq!(verdicts, [Verdict::Done("activated")]);
    assert_eq!(outputs[0].1.payload, record.payload);
    let data = &applications("taiwan-lightgbm")[0];
    let (_, outputs) = room.feed(&[accepted(data, 1, 1)]).unwrap();
    let event: RiskEvent = serde_json::from_slice(outputs[0].1.payload.as_ref().unwrap()).unwrap();
    assert_eq!(event.model.unwrap().digest, digest);
}

#[test]
fn an_instance_without_the_digest_stops_there() {
    let mut room = room(&Config::default());
    let unknown = "0".repeat(64);
    for record in [
        activation("model", "taiwan-scorecard", "2.0.0", &unknown, 0),
        activation("model", "taiwan-scorecard", "1.0.0", &digest_of("taiwan-net"), 0),
        activation("route", "main", "2", &unknown, 0),
    ] {
        assert!(matches!(room.control(&record), Err(HandleError::NotReady(_))));
    }
}

#[test]
fn other_kinds_are_only_passed_on() {
    let mut room = room(&Config::default());
    let (verdicts, outputs) = room.control(&activation("policy", "standard", "2", "00", 0)).unwrap();
    assert_eq!((verdicts, outputs.len()), (vec![Verdict::Done("control_passed")], 1));
    let mut broken = activation("model", "m", "1", "00", 0);
    broken.payload = Some(b"{}".to_vec());
    let (verdicts, outputs) = room.control(&broken).unwrap();
    assert!(matches!(verdicts[0], Verdict::DeadLetter { reason: "bad_activation", .. }) && outputs.is_empty());
}

#[test]
fn a_route_to_what_does_not_serve_is_refused_at_start() {
    let library = Library::read(&models()).unwrap();
    for (product, package) in [("credit_card", "taiwan-scorecard@9"), ("credit_card", "sba-scorecard@1.0.0")] {
        let routes =
            Routes::new(&with_route(product, package).route, &Default::default(), &Default::default()).unwrap();
        assert!(matches!(library.serve(&routes), Err(Error::Route { .. })), "{package}");
    }
}

#[test]
fn a_package_that_fails_its_proof_is_kept_out_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(models().join("scales.toml"), folder.path().join("scales.toml")).unwrap();
    let own = folder.path().join("taiwan-scorecard/1.0.0");
    std::fs::create_dir_all(&own).unwrap();
    for file in ["manifest.toml", "model.onnx", "golden.json", "reference.json"] {
        let mut bytes = std::fs::read(models().join("taiwan-scorecard/1.0.0").join(file)).unwrap();
        if file == "model.onnx" {
            bytes[100] ^= 1;
        }
        std::fs::write(own.join(file), bytes).unwrap();
    }
    let library = Library::read(folder.path()).unwrap();
    assert!(library.models().is_empty());
    let route = [("credit_card".to_owned(), "taiwan-scorecard@1.0.0".to_owned())].into();
    let why =
        library.serve(&Routes::new(&route, &Default::default(), &Default::default()).unwrap()).unwrap_err().to_string();
    assert!(why.contains("taiwan-scorecard@1.0.0 does not serve: model.onnx: the manifest names digest"), "{why}");
}
