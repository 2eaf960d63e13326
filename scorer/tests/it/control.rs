use crate::fixture::{
    STANDARD, accepted, activation, activation_of, applications, carried, digest_of, document, entry, event_of,
    handler, library, library_with, models, worker, worker_of,
};
use crate::kept::{Changelog, Kept};
use catalog::Slot;
use runtime::stream::harness::Harness;
use runtime::stream::{HandleError, Handler, PASSED_BY, RecordOutcome, Stored};
use schemas::risk::RiskEvent;
use scorer::Library;
use scorer::in_force::Kept as Key;

#[test]
fn activation_records_are_kept_by_position_and_passed_on() {
    let mut worker = worker();
    let digest = digest_of("taiwan-lightgbm");
    let record = activation("model", "taiwan-lightgbm", "1.0.0", &digest, 1);
    let (outcomes, outputs) = worker.control(&record).unwrap();
    assert_eq!(outcomes, [RecordOutcome::Done("activated")]);
    assert_eq!(outputs[0].1.payload, record.payload);
    let data = &applications("taiwan-lightgbm")[0];
    let (_, outputs) = worker.feed(&[accepted(data, 1, 1)]).unwrap();
    let event: RiskEvent = serde_json::from_slice(outputs[0].1.payload.as_ref().unwrap()).unwrap();
    assert_eq!(event.model.unwrap().digest, digest);
}

#[test]
fn an_instance_without_the_digest_stops_there() {
    let mut worker = worker();
    let unknown = "0".repeat(64);
    for record in [
        activation("model", "taiwan-scorecard", "2.0.0", &unknown, 0),
        activation("model", "taiwan-scorecard", "1.0.0", &digest_of("taiwan-net"), 0),
        activation("route", "main", "2", &unknown, 0),
    ] {
        assert!(matches!(worker.control(&record), Err(HandleError::NotReady(_))));
    }
}

#[test]
fn other_kinds_are_only_passed_on() {
    let mut worker = worker();
    let (outcomes, outputs) = worker.control(&activation("policy", "standard", "2", "00", 0)).unwrap();
    assert_eq!((outcomes, outputs.len()), (vec![RecordOutcome::Done("control_passed")], 1));
    let mut broken = activation("model", "m", "1", "00", 0);
    broken.payload = Some(b"{}".to_vec());
    let (outcomes, outputs) = worker.control(&broken).unwrap();
    assert!(matches!(outcomes[0], RecordOutcome::DeadLetter { reason: "bad_activation", .. }) && outputs.is_empty());
}

/// A route of the stream, with the digest of the package that it names.
fn carried_second(partition: i32) -> runtime::stream::OwnedInput {
    carried(&second(), &[("taiwan-scorecard@1.0.0", &digest_of("taiwan-scorecard"))], partition)
}

#[test]
fn a_route_of_the_stream_is_in_force_where_no_file_is() {
    let mut worker = worker_of(library(), &[], 256);
    let application = accepted(&applications("taiwan-lightgbm")[0], 0, 7);
    let waits = worker.feed(std::slice::from_ref(&application)).unwrap_err();
    assert!(matches!(&waits, HandleError::NotReady(why) if why.contains("no route was activated")), "{waits}");
    let (outcomes, outputs) = worker.control(&carried_second(0)).unwrap();
    assert_eq!((outcomes, outputs.len()), (vec![RecordOutcome::Done("activated")], 1));
    assert_eq!(told(&mut worker, &[0]), [pair("2.0.0", "taiwan-scorecard")]);
    // Whoever takes over has the changelog and nothing else.
    let mut after = worker_of(library(), &[], 256);
    for (partition, key, value) in worker.state() {
        assert!(after.restore(partition, &key, &value));
    }
    assert_eq!(told(&mut after, &[0]), [pair("2.0.0", "taiwan-scorecard")]);
}

#[test]
fn a_route_whose_packages_are_others_here_waits_and_may_be_passed_by() {
    let mut worker = worker();
    let other = carried(&second(), &[("taiwan-scorecard@1.0.0", &"0".repeat(64))], 0);
    let missing = carried(&second().replace("taiwan-scorecard", "nobodys"), &[], 0);
    for (record, words) in
        [(&other, "names package taiwan-scorecard@1.0.0 (000"), (&missing, "no package nobodys@1.0.0")]
    {
        let error = worker.control(record).unwrap_err();
        assert!(matches!(&error, HandleError::NotReady(why) if why.contains(words)), "{error}");
    }
    let (outcomes, outputs) = worker.passed_by(&other).unwrap();
    assert_eq!(outcomes[0].set_aside().map(|(reason, _)| reason), Some(PASSED_BY));
    assert_eq!(outputs.len(), 1, "those behind hear of it");
    assert_eq!(told(&mut worker, &[0]), [pair("1.0.0", "taiwan-lightgbm")]);
}

#[test]
fn a_version_means_one_content_for_good() {
    let mut worker = worker();
    worker.control(&carried_second(0)).unwrap();
    let digest = digest_of("taiwan-scorecard");
    let again = format!("{}# the same again\n", second());
    let other = carried(&again, &[("taiwan-scorecard@1.0.0", &digest)], 0);
    worker.control(&activation_of(STANDARD, 0)).unwrap();
    let (outcomes, _) = worker.control(&other).unwrap();
    assert_eq!(outcomes[0].set_aside().map(|(reason, _)| reason), Some("version_has_another_digest"));
    assert_eq!(told(&mut worker, &[0]), [pair("1.0.0", "taiwan-lightgbm")]);
    worker.control(&activation("model", "taiwan-scorecard", "1.0.0", &digest, 0)).unwrap();
    let (outcomes, _) = worker.control(&activation("model", "taiwan-scorecard", "1.0.0", &"0".repeat(64), 0)).unwrap();
    assert_eq!(outcomes[0].set_aside().map(|(reason, _)| reason), Some("version_has_another_digest"));
}

#[test]
fn a_package_that_comes_later_serves_without_a_restart() {
    let names = library_with(&[("taiwan-scorecard", "late")]);
    let late = names.models().iter().find(|model| model.manifest().name == "late").unwrap().clone();
    let (sender, found) = std::sync::mpsc::channel();
    let mut worker = Harness::new(handler(library(), &[STANDARD], 256).finding(found));
    let route = document("standard", "3.0.0", &entry("cards", "credit_card", "late", ""));
    let record = carried(&route, &[("late@1.0.0", &late.digest().to_string())], 0);
    assert!(
        matches!(worker.control(&record), Err(HandleError::NotReady(why)) if why.contains("no package late@1.0.0"))
    );
    sender.send(late).unwrap();
    assert_eq!(worker.control(&record).unwrap().0, [RecordOutcome::Done("activated")]);
    assert_eq!(told(&mut worker, &[0, 1]), [pair("3.0.0", "late"), pair("1.0.0", "taiwan-lightgbm")]);
}

/// Another champion of cards.
fn second() -> String {
    document("standard", "2.0.0", &entry("cards", "credit_card", "taiwan-scorecard", ""))
}

/// What an application of each partition is told by which route and model.
fn told(worker: &mut Harness<impl Handler>, partitions: &[i32]) -> Vec<(String, String)> {
    let data = &applications("taiwan-lightgbm")[0];
    let records: Vec<_> = partitions.iter().map(|partition| accepted(data, *partition, 7)).collect();
    let (_, outputs) = worker.feed(&records).unwrap();
    let outputs = outputs.iter().filter(|(_, output)| &*output.topic == "t.credit.risk.v1");
    let events = outputs.map(|(_, output)| event_of(output));
    events.map(|event| (event.route.version.unwrap(), event.model.unwrap().name)).collect()
}

fn pair(version: &str, model: &str) -> (String, String) {
    (version.to_owned(), model.to_owned())
}

#[test]
fn a_route_is_in_force_from_its_record_on_and_only_in_its_partition() {
    let (first, other) = (pair("1.0.0", "taiwan-lightgbm"), pair("2.0.0", "taiwan-scorecard"));
    let second = second();
    let documents = [STANDARD, &second];
    let mut worker = worker_of(library(), &documents, 256);
    assert_eq!(told(&mut worker, &[0, 1]), [first.clone(), first.clone()]);
    let record = activation_of(documents[1], 1);
    let (outcomes, outputs) = worker.control(&record).unwrap();
    assert_eq!((outcomes, &outputs[0].1.payload), (vec![RecordOutcome::Done("activated")], &record.payload));
    assert_eq!(told(&mut worker, &[0, 1]), [first.clone(), other]);
    worker.control(&activation_of(STANDARD, 1)).unwrap();
    assert_eq!(told(&mut worker, &[0, 1]), [first.clone(), first]);
}

#[test]
fn the_route_that_is_not_held_stops_the_worker_and_what_came_before_still_decides() {
    let mut worker = worker();
    let error = worker.control(&activation_of(&second(), 0)).unwrap_err();
    assert!(matches!(&error, HandleError::NotReady(why) if why.contains("route standard@2.0.0")), "{error}");
    assert_eq!(told(&mut worker, &[0]), [pair("1.0.0", "taiwan-lightgbm")]);
}

/// The newest record counts: a route puts the versions that it names in force, and a model's record after it switches one.
#[test]
fn a_route_takes_back_what_was_activated_of_its_packages() {
    let new = second();
    let mut kept = Kept::new(handler(library(), &[STANDARD, &new], 256), Changelog::new());
    for name in ["taiwan-lightgbm", "taiwan-scorecard"] {
        kept.control(&activation("model", name, "1.0.0", &digest_of(name), 0));
    }
    kept.control(&activation_of(&new, 0));
    let changelog = kept.changelog();
    let value = |slot: Slot| changelog.get(&Key(slot).encode()).map(Option::is_some);
    assert_eq!(value(Slot::Route), Some(true));
    assert_eq!(value(Slot::Model("taiwan-scorecard".into())), Some(false), "the new route names it");
    assert_eq!(value(Slot::Model("taiwan-lightgbm".into())), Some(true), "it does not name this one");
}

/// Whoever takes a partition over reads the changelog, and says what its predecessor would have said.
#[test]
fn an_instance_that_takes_over_goes_on_with_the_same_route() {
    let second = second();
    let documents = [STANDARD, &second];
    let mut before = Kept::new(handler(library(), &documents, 256), Changelog::new());
    before.control(&activation_of(documents[1], 3));
    let changelog = before.changelog();
    let mut after = Kept::new(handler(library(), &documents, 256), changelog.clone());
    let expected = [pair("2.0.0", "taiwan-scorecard")];
    assert_eq!(told(&mut before.worker, &[3]), expected);
    assert_eq!(told(&mut after.worker, &[3]), expected);
    let mut without = Kept::new(handler(library(), &[STANDARD], 256), changelog);
    let data = accepted(&applications("taiwan-lightgbm")[0], 3, 7);
    let error = without.worker.feed(&[data]).unwrap_err();
    assert!(matches!(&error, HandleError::NotReady(why) if why.contains("route standard@2.0.0")), "{error}");
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
    let route = document("r", "1.0.0", &entry("cards", "credit_card", "taiwan-scorecard", ""));
    let why = scorer::Route::load(route.as_bytes(), &library).unwrap_err().to_string();
    let expected = "entry 1 (cards), champion: package taiwan-scorecard@1.0.0 does not serve: model.onnx: the manifest names digest";
    assert!(why.contains(expected), "{why}");
}
