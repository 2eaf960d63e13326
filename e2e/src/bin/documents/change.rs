//! What comes while the stack runs, in one order: each step waits until decisions go on behind it.

use crate::folder::copy;
use crate::load::Load;
use anyhow::{Context, Result, bail};
use domain::Digest;
use e2e::stage::{Stage, root};
use e2e::supervisor::Supervisor;
use runtime::clock;
use schemas::control::Activation;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Decisions between two steps.
const SOME: usize = 200;
/// How long a package that was just brought may take to be held everywhere.
const HELD_WITHIN: Duration = Duration::from_secs(30);
/// The package that no scorer has at its start.
const LATE: &str = "late-scorecard";

/// The stack, and what it is changed with.
pub struct Changes<'a> {
    pub stage: &'a Stage,
    pub stack: &'a mut Supervisor,
    pub load: &'a Load,
    /// Configuration of the workers.
    pub config: &'a Path,
    /// Their folder of packages.
    pub models: &'a Path,
}

impl Changes<'_> {
    /// Goes through the steps; gives what was done, in words.
    ///
    /// # Errors
    /// When one of them does not end as it must.
    pub fn make(mut self) -> Result<Vec<String>> {
        let mut told = Vec::new();
        self.load.wait_for(SOME, "the start")?;
        self.new_policy(&mut told)?;
        self.new_route(&mut told)?;
        self.refused(&mut told)?;
        self.new_package(&mut told)?;
        self.passed_by(&mut told)?;
        self.newcomer(&mut told)?;
        Ok(told)
    }

    /// A policy that is on no worker's disk; one of those that decide is killed beside it.
    fn new_policy(&mut self, told: &mut Vec<String>) -> Result<()> {
        let file = self.write("policies/standard/2.0.0.yaml", &policy("2.0.0", 600))?;
        told.push(self.stack.command(&["policy", "activate", &file, "--by", "documents"])?);
        self.kill("decision", 0)?;
        self.load.wait_for(SOME, "behind the new policy")?;
        self.kill("decision", 1)?;
        self.load.wait_for(SOME, "behind the second kill")
    }

    fn new_route(&mut self, told: &mut Vec<String>) -> Result<()> {
        self.write("routes/standard/2.0.0.toml", &route("2.0.0", "taiwan-scorecard")?)?;
        told.push(self.activate_route("standard@2.0.0")?);
        self.kill("scorer", 1)?;
        self.load.wait_for(SOME, "behind the new route")?;
        self.kill("scorer", 0)?;
        self.load.wait_for(SOME, "behind the second kill")
    }

    /// What may not be in force is refused where it is asked for, and nothing stands.
    fn refused(&mut self, told: &mut Vec<String>) -> Result<()> {
        let faulty = policy("3.0.0", 600).replacen("term_months", "months", 1);
        let faulty = self.write("policies/standard/3.0.0.yaml", &faulty)?;
        told.push(self.refusal(&["policy", "activate", &faulty, "--by", "documents"], "may not decide")?);
        let other = self.write("other/standard/2.0.0.yaml", &policy("2.0.0", 610))?;
        told.push(self.refusal(&["policy", "activate", &other, "--by", "documents"], "raise its version")?);
        self.load.wait_for(SOME, "behind what was refused")
    }

    /// A route with a package that the scorers do not hold is refused, until it lies in their folder.
    fn new_package(&mut self, told: &mut Vec<String>) -> Result<()> {
        let elsewhere = self.stage.dir().join("elsewhere");
        copy(&root().join("models"), &elsewhere)?;
        package(&elsewhere)?;
        self.write("routes/standard/3.0.0.toml", &route("3.0.0", LATE)?)?;
        let folder = format!("scorer.models_dir={}", elsewhere.display());
        let routes = self.routes();
        let activate = ["route", "activate", "standard@3.0.0", "--by", "documents"];
        let words = [&activate[..], &["--set", folder.as_str(), "--set", routes.as_str()]].concat();
        told.push(self.refusal(&words, &format!("scorer 0 does not hold {LATE}@1.0.0; scorer 1 does not hold"))?);
        self.load.wait_for(SOME, "behind the route that was refused")?;
        package(self.models)?;
        let started = Instant::now();
        let said = loop {
            match self.stack.command(&words) {
                Ok(said) => break said,
                Err(error) if started.elapsed() > HELD_WITHIN => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(500)),
            }
        };
        told.push(said);
        self.load.wait_for(SOME, "behind the new package")
    }

    /// An activation that nobody can serve stands in the stream although the command refuses it.
    fn passed_by(&mut self, told: &mut Vec<String>) -> Result<()> {
        let document = policy("4.0.0", 600).replacen("term_months", "months", 1);
        let activation = Activation {
            kind: "policy".to_owned(),
            name: "standard".to_owned(),
            version: "4.0.0".to_owned(),
            digest: Digest::of(document.as_bytes()).to_string(),
            activated_by: "documents".to_owned(),
            activated_at: clock::rfc3339(clock::now()),
            document: Some(document.into()),
            packages: None,
        };
        ingest::activate::run(&self.stage.kafka, &activation)?;
        self.load.wait_for_standstill()?;
        told.push(self.stack.command(&["pass", "policy", "standard@4.0.0", "--by", "documents", "--why", "a test"])?);
        self.load.wait_for(SOME, "behind what was passed by")
    }

    /// An instance with no policy at all takes every partition over.
    fn newcomer(&mut self, told: &mut Vec<String>) -> Result<()> {
        let empty = self.stage.dir().join("no-policies");
        std::fs::create_dir_all(&empty)?;
        let text = std::fs::read_to_string(self.config)?;
        let shipped = format!("policy_dir = {:?}", root().join("policies"));
        anyhow::ensure!(text.contains(&shipped), "the configuration names another folder of policies");
        let config = self.config.with_extension("empty.toml");
        std::fs::write(&config, text.replacen(&shipped, &format!("policy_dir = {empty:?}"), 1))?;
        self.stack.join("decision", 2, &config)?;
        self.stack.retire("decision", 2)?;
        self.load.wait_for(2 * SOME, "by an instance with no policy on its disk")?;
        told.push("an instance with an empty folder decided alone".to_owned());
        Ok(())
    }

    fn activate_route(&self, label: &str) -> Result<String> {
        self.stack.command(&["route", "activate", label, "--by", "documents", "--set", &self.routes()])
    }

    /// Where the command finds routes; no worker looks there.
    fn routes(&self) -> String {
        format!("scorer.routes_dir={}", self.stage.dir().join("new/routes").display())
    }

    fn refusal(&self, words: &[&str], expected: &str) -> Result<String> {
        match self.stack.command(words) {
            Ok(said) => bail!("it was to be refused: {said}"),
            Err(error) if format!("{error:#}").contains(expected) => Ok(format!("refused: {expected}")),
            Err(error) => Err(error.context(format!("it was to be refused for {expected:?}"))),
        }
    }

    fn kill(&mut self, worker: &str, instance: u32) -> Result<()> {
        let index =
            self.stack.index_of(worker, instance).with_context(|| format!("{worker}-{instance} does not run"))?;
        self.stack.kill(index).map(drop)
    }

    /// Writes a document where no worker looks; gives its path.
    fn write(&self, place: &str, text: &str) -> Result<String> {
        let file: PathBuf = self.stage.dir().join("new").join(place);
        std::fs::create_dir_all(file.parent().context("a folder")?)?;
        std::fs::write(&file, text)?;
        Ok(file.display().to_string())
    }
}

const POLICY: &str = include_str!("../../../../policies/standard/1.0.0.yaml");
const ROUTE: &str = include_str!("../../../../routes/standard/1.0.0.toml");

/// The shipped policy under another version, with another cutoff for cards.
fn policy(version: &str, cutoff: i32) -> String {
    let text = POLICY.replacen("version: 1.0.0", &format!("version: {version}"), 1);
    text.replacen("approve_at_or_above: 560", &format!("approve_at_or_above: {cutoff}"), 1)
}

/// The shipped route under another version, with another champion of cards.
fn route(version: &str, champion: &str) -> Result<String> {
    let text = ROUTE.replacen("version = \"1.0.0\"", &format!("version = {version:?}"), 1);
    let entry = text.find("[[entry]]").context("the shipped route has no entry")?;
    let cards = format!(
        "[[entry]]\nid = \"new_cards\"\nproduct = \"credit_card\"\nwhen = 'data.product == \"credit_card\"'\nchampion = \"{champion}@1.0.0\"\n\n"
    );
    Ok(format!("{}{cards}{}", &text[..entry], &text[entry..]))
}

/// A package under another name, put into a folder of packages.
fn package(models: &Path) -> Result<()> {
    let (from, to) = (root().join("models/taiwan-scorecard/1.0.0"), models.join(LATE).join("1.0.0"));
    std::fs::create_dir_all(&to)?;
    for file in ["model.onnx", "golden.json", "reference.json"] {
        std::fs::copy(from.join(file), to.join(file))?;
    }
    let manifest = std::fs::read_to_string(from.join("manifest.toml"))?;
    let own = "name = \"taiwan-scorecard\"";
    anyhow::ensure!(manifest.contains(own), "the manifest does not say its name");
    std::fs::write(to.join("manifest.toml"), manifest.replacen(own, &format!("name = {LATE:?}"), 1))?;
    Ok(())
}
