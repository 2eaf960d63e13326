//! Takes a recording: hop by hop, each on fresh servers, with the worker behind it alone. What a hop reads is what the hop before it
//! wrote, or what another recording says was read.

use crate::answers::Api;
use crate::applications;
use crate::database::Database;
use crate::deployment::Deployment;
use crate::door;
use crate::folder::{Part, Recording};
use crate::hops::{HOPS, Hop, Way};
use crate::inputs::{Inputs, Put, sent, with_activations, written};
use crate::leaves::{heads, leaves};
use crate::program::{Program, Worker};
use crate::publish::publish;
use crate::record::Record;
use crate::settled::{Groups, rows_are_written};
use crate::topics;
use crate::webhooks::Receiver;
use anyhow::{Context, Result, ensure};
use defaultx::demo::applications::Document;
use defaultx::demo::progress::phase;
use e2e::stage::root;
use schemas::Topic;
use std::time::{Duration, Instant};

/// Longer than this, and something hangs.
const PATIENCE: Duration = Duration::from_secs(300);
/// What is put in force among the applications, beside what is in force at the start: the same once more.
const IN_FORCE: [(&str, &str); 2] =
    [("route", "routes/standard/1.0.0.toml"), ("policy", "policies/standard/1.0.0.yaml")];
/// The projections of the log, and the identity store.
const TABLES: [&str; 10] = [
    "defaultx.applications",
    "defaultx.withdrawals",
    "defaultx.scores",
    "defaultx.decisions",
    "defaultx.replies",
    "defaultx.receipts",
    "defaultx.dead_letters",
    "defaultx.activations",
    "defaultx.model_references",
    "identity.identities",
];
const REQUESTS: &str = "requests";
const ANSWERS: &str = "answers";

/// A recording that is taken.
pub struct Taking {
    /// What is recorded.
    pub program: Program,
    /// Where it goes.
    pub to: Recording,
    /// The recording whose inputs are published again; without one they are made.
    pub from: Option<Recording>,
    /// Applications to make.
    pub applications: usize,
    /// In front of what is told of the progress.
    pub side: &'static str,
}

impl Taking {
    /// Goes through every hop.
    ///
    /// # Errors
    /// When a server or the binary does not do what it must.
    pub fn take(&self) -> Result<()> {
        let documents = match &self.from {
            Some(_) => Vec::new(),
            None => applications::documents(&root().join("training/data"), self.applications)?,
        };
        for hop in HOPS {
            let started = Instant::now();
            match hop.way {
                Way::Stream => self.stream(hop, &documents)?,
                Way::Door => self.door(hop, &documents)?,
                Way::Webhooks => self.webhooks(hop, &documents)?,
                Way::Log => self.log(hop, &documents)?,
            }
            self.tell(hop, &format!("done after {} s", started.elapsed().as_secs()));
        }
        Ok(())
    }

    fn tell(&self, hop: &Hop, words: &str) {
        phase(&format!("{}{}: {words}", self.side, hop.name));
    }

    fn stream(&self, hop: &Hop, documents: &[Document]) -> Result<()> {
        let inputs = self.inputs(hop, documents)?;
        let deployment = Deployment::start(&self.program, hop, "")?;
        let mut worker = self.start(hop, hop.worker, &deployment)?;
        let mut groups = Groups::connect(&deployment.kafka)?;
        publish(&deployment, &inputs, |place| {
            let what = format!("{}/{} was read", place.name, place.partition);
            worker.until(&what, PATIENCE, || groups.have_read(place))
        })?;
        // It is said once at the start, beside the records.
        if hop.outputs.iter().any(|output| output.topic == Topic::Instances) {
            let is_said = || Ok(!topics::read(&deployment, Topic::Instances)?.is_empty());
            worker.until("it said what it holds", PATIENCE, is_said)?;
        }
        worker.stop()?;
        self.keep_topics(hop, &deployment)
    }

    fn door(&self, hop: &Hop, documents: &[Document]) -> Result<()> {
        let requests: Vec<String> = match &self.from {
            Some(from) => from.read(Part::Inputs, hop.name, REQUESTS)?,
            None => door::requests(documents).iter().map(serde_json::to_string).collect::<Result<_, _>>()?,
        };
        self.to.write(Part::Inputs, hop.name, REQUESTS, &requests)?;
        self.tell(hop, &format!("{} requests", requests.len()));
        let sent = requests.iter().map(|line| serde_json::from_str(line)).collect::<Result<Vec<_>, _>>()?;
        let port = local::free_port()?;
        let limits = "door_requests_per_second = 0\ndoor_records_per_second_per_tenant = 0\n";
        let section = format!("[ingest]\ndoor_address = \"127.0.0.1:{port}\"\n{limits}");
        let deployment = Deployment::start(&self.program, hop, &section)?;
        let mut worker = self.start(hop, hop.worker, &deployment)?;
        let answers = door::send(port, &sent, &mut worker)?;
        worker.stop()?;
        self.to.write(Part::Outputs, hop.name, ANSWERS, &answers)?;
        self.keep_topics(hop, &deployment)
    }

    fn webhooks(&self, hop: &Hop, documents: &[Document]) -> Result<()> {
        const DUE: &str = "SELECT count(*) FROM defaultx.deliveries WHERE status = 'pending' OR receipt_due";
        let inputs = self.inputs(hop, documents)?;
        let receiver = Receiver::start()?;
        let deployment = Deployment::start(&self.program, hop, &receiver.configuration())?;
        let mut worker = self.start(hop, hop.worker, &deployment)?;
        let database = self.publish_to_rows(&deployment, &inputs, &mut worker)?;
        worker.until("every webhook was delivered", PATIENCE, || Ok(database.number(DUE)? == 0))?;
        worker.stop()?;
        self.to.write(Part::Outputs, hop.name, "webhooks", &receiver.lines()?)?;
        self.keep_topics(hop, &deployment)
    }

    /// The writer ends before anybody signs or asks: who looked at what would be in the log too, at times of its own.
    fn log(&self, hop: &Hop, documents: &[Document]) -> Result<()> {
        const UNSIGNED: &str = "SELECT count(*) FROM defaultx.audit_logs l WHERE NOT EXISTS (
                                    SELECT FROM defaultx.audit_publications p WHERE p.log = l.log AND p.size = l.size)";
        let inputs = self.inputs(hop, documents)?;
        let api = Api::new()?;
        let deployment = Deployment::start(&self.program, hop, &api.configuration())?;
        let mut writer = self.start(hop, hop.worker, &deployment)?;
        let database = self.publish_to_rows(&deployment, &inputs, &mut writer)?;
        writer.stop()?;
        let mut signer = self.start(hop, "audit-signer", &deployment)?;
        signer.until("the log was signed", PATIENCE, || Ok(database.number(UNSIGNED)? == 0))?;
        signer.stop()?;
        self.tell(hop, "asking read-api");
        let mut server = self.start(hop, "read-api", &deployment)?;
        let applications = inputs.get(&Topic::Applications).map(Vec::as_slice).unwrap_or_default();
        let answers = api.answers(applications, &mut server)?;
        server.stop()?;
        self.to.write(Part::Outputs, hop.name, ANSWERS, &answers)?;
        self.to.write(Part::Outputs, hop.name, "leaves", &leaves(&database)?)?;
        self.to.write(Part::Outputs, hop.name, "heads", &heads(&database)?)?;
        for table in TABLES {
            self.to.write(Part::Outputs, hop.name, table, &database.table(table)?)?;
        }
        self.keep_topics(hop, &deployment)
    }

    /// Publishes to a worker that writes the database, and gives a session of it.
    fn publish_to_rows(&self, deployment: &Deployment, inputs: &Inputs, worker: &mut Worker) -> Result<Database> {
        let database = Database::connect(deployment.database_url())?;
        publish(deployment, inputs, |place| {
            let what = format!("{}/{} was written", place.name, place.partition);
            worker.until(&what, PATIENCE, || rows_are_written(&database, place))
        })?;
        Ok(database)
    }

    fn start(&self, hop: &Hop, worker: &str, deployment: &Deployment) -> Result<Worker> {
        let log = self.to.logs()?.join(format!("{}-{worker}.log", hop.name));
        self.program.start(worker, &deployment.config, log)
    }

    fn keep_topics(&self, hop: &Hop, deployment: &Deployment) -> Result<()> {
        let mut kept = 0;
        for output in hop.outputs {
            let records = topics::kept(deployment, output)?;
            kept += records.len();
            self.write(Part::Outputs, hop, output.topic, &records)?;
        }
        ensure!(kept > 0, "{} wrote nothing that is kept: there is nothing to compare", hop.worker);
        Ok(())
    }

    fn write(&self, part: Part, hop: &Hop, topic: Topic, records: &[Record]) -> Result<()> {
        let lines = records.iter().map(Record::line).collect::<Result<Vec<_>, _>>()?;
        self.to.write(part, hop.name, topic.base_name(), &lines)
    }

    /// What is published to a hop; it becomes a part of the recording.
    fn inputs(&self, hop: &Hop, documents: &[Document]) -> Result<Inputs> {
        let mut inputs = Inputs::new();
        for topic in hop.inputs {
            let records = match &self.from {
                Some(from) => from.records(Part::Inputs, hop.name, topic.base_name())?,
                None => self.made(hop, *topic, documents)?,
            };
            self.write(Part::Inputs, hop, *topic, &records)?;
            inputs.insert(*topic, records);
        }
        self.tell(hop, &format!("{} records", inputs.values().map(Vec::len).sum::<usize>()));
        Ok(inputs)
    }

    fn made(&self, hop: &Hop, topic: Topic, documents: &[Document]) -> Result<Vec<Record>> {
        match (topic, hop.way) {
            (Topic::LoanApplications, Way::Stream) => Ok(sent(applications::published(documents)?)),
            (Topic::Applications, Way::Stream) => {
                Ok(written(topic, with_activations(self.written_before(topic)?, &self.in_force()?)))
            }
            // As they were published to the worker that reads them.
            (Topic::LoanApplications | Topic::Applications, _) => {
                let reader = HOPS.iter().find(|hop| hop.way == Way::Stream && hop.inputs.contains(&topic));
                self.to.records(Part::Inputs, reader.context("no worker reads it")?.name, topic.base_name())
            }
            _ => Ok(written(topic, self.written_before(topic)?)),
        }
    }

    /// What the hops along the stream have written to a topic so far.
    fn written_before(&self, topic: Topic) -> Result<Vec<Record>> {
        let writes = |hop: &&Hop| hop.way != Way::Door && hop.outputs.iter().any(|output| output.topic == topic);
        let mut records = Vec::new();
        for hop in HOPS.iter().filter(writes) {
            records.extend(self.to.records(Part::Outputs, hop.name, topic.base_name())?);
        }
        Ok(records)
    }

    fn in_force(&self) -> Result<Vec<Put>> {
        let put = |(kind, file): (&'static str, &str)| {
            let path = self.program.documents().join(file);
            let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            Ok(Put { kind, label: "standard@1.0.0".to_owned(), text })
        };
        IN_FORCE.into_iter().map(put).collect()
    }
}
