//! Real servers with the topics and tables of one deployment, and a configuration file that processes can be started with.

use anyhow::{Context, Result, bail};
use defaultx::{database, place};
use domain::Digest;
use local::{Options, Stack};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use runtime::kafka::KafkaConfig;
use runtime::pg::DatabaseConfig;
use schemas::Topic;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Key of the digests that the audit log keeps of personal data.
pub const DIGEST_KEY: [u8; 32] = [0x11; 32];
/// Seed of the key that signs the audit log.
pub const CHECKPOINT_KEY: [u8; 32] = [0x22; 32];

/// By then a topic has its leaders.
const LEADER_WITHIN: Duration = Duration::from_secs(30);
/// Bytes of the largest record on a topic of a sender's.
const SENDER_MAX_BYTES: &str = "16777216";

/// Servers for a run. They stop when it is dropped.
pub struct Stage {
    /// The servers.
    pub stack: Stack,
    /// How to reach the broker.
    pub kafka: KafkaConfig,
    /// How workers reach the database: each with its login, and nobody without one.
    pub database: DatabaseConfig,
    /// The superuser's way into the deployment's database.
    pub database_url: String,
    dir: PathBuf,
}

/// The shipped policy and route, and a next version of each beside them.
pub struct Versions {
    policies: PathBuf,
    routes: PathBuf,
    /// Digest of the policy in force at first.
    pub first_policy: String,
    /// Digest of the route in force at first.
    pub first_route: String,
    /// File of the next policy.
    pub policy: PathBuf,
    /// The next route, `name@version`.
    pub route_name: String,
}

/// The project's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

impl Stage {
    /// Starts a broker and a database with their data in `dir`, makes the topics and the tables. Every worker has its own login, and
    /// may do what it has to.
    ///
    /// # Errors
    /// When a server does not start.
    pub fn start(dir: &Path, progress: bool) -> Result<Self> {
        Self::start_with(dir, Options { progress, ..Options::new(dir) })
    }

    /// The same for measuring: with a broker that asks for no login, against which the asking is measured and on which programs run
    /// that know nothing of logins; and with both of Java's compilers, as where it runs for hours.
    ///
    /// # Errors
    /// When a server does not start.
    pub fn measured(dir: &Path, open: bool, thorough_compiler: bool) -> Result<Self> {
        Self::start_with(dir, Options { progress: true, open, thorough_compiler, ..Options::new(dir) })
    }

    fn start_with(dir: &Path, options: Options) -> Result<Self> {
        let stack = Stack::start(&Options { users: place::users(), ..options })?;
        let (kafka, database) = (KafkaConfig::default(), DatabaseConfig::default());
        let database_url = stack.database_url().to_owned();
        let mut stage = Self { kafka, database, database_url, dir: dir.to_owned(), stack };
        stage.kafka.bootstrap = stage.stack.bootstrap().to_owned();
        stage.kafka.replication_factor = 1;
        place::log_in(&mut stage.kafka, &stage.stack);
        // Instances share them here, as on several machines.
        stage.kafka.partitions = 6;
        stage.deploy("")?;
        Ok(stage)
    }

    /// Makes the topics and the database of another deployment beside, under a prefix, and speaks of it from now on.
    ///
    /// # Errors
    /// When a server refuses.
    pub fn deploy(&mut self, prefix: &str) -> Result<()> {
        self.deploy_bare(prefix)?;
        self.migrate()
    }

    /// The same without tables, for a program that makes its own.
    ///
    /// # Errors
    /// When a server refuses.
    pub fn deploy_bare(&mut self, prefix: &str) -> Result<()> {
        if !prefix.is_empty() {
            let name: String = prefix.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            self.database_url = self.stack.create_database(&name)?;
            self.database.url = self.database_url.as_str().into();
        }
        prefix.clone_into(&mut self.kafka.topic_prefix);
        runtime()?.block_on(defaultx::topics::apply(&self.kafka, &[]))?;
        self.give_rights(&[])
    }

    /// Makes the tables; where workers have logins, they are not told the superuser's.
    fn migrate(&mut self) -> Result<()> {
        self.database.url = self.database_url.as_str().into();
        runtime()?.block_on(database::migrate(&self.database))?;
        if !self.kafka.principals.is_empty() {
            runtime()?.block_on(database::give_logins(&mut self.database, &self.dir))?;
            let (_, address) = self.database_url.rsplit_once('@').context("a URL with a login")?;
            self.database.url = format!("postgres://{address}").into();
        }
        Ok(())
    }

    fn give_rights(&self, senders: &[String]) -> Result<()> {
        match self.kafka.principals.is_empty() {
            true => Ok(()),
            false => defaultx::topics::rights::apply(&self.kafka, senders).map(drop),
        }
    }

    /// How many partitions the topics of this deployment have.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub fn partitions(&self) -> Result<i32> {
        let name = Topic::Intake.name(&self.kafka.topic_prefix);
        let client: BaseConsumer = self.kafka.client().create()?;
        let metadata = client.fetch_metadata(Some(&name), LEADER_WITHIN)?;
        Ok(metadata.topics().iter().map(|topic| topic.partitions().len()).sum::<usize>() as i32)
    }

    /// Writes a configuration of this deployment, with the route that the stack ships; `more` is appended as it is.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn config(&self, name: &str, more: &str) -> Result<PathBuf> {
        let (routes, policies) = (root().join("routes"), root().join("policies"));
        self.write_config(name, (&routes, &scorer::Config::default().route), &policies, more)
    }

    /// The same with a route of its own, given as the entries of its document; without any, the one that the stack ships.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn config_routed(&self, name: &str, entries: &str, more: &str) -> Result<PathBuf> {
        if entries.is_empty() {
            return self.config(name, more);
        }
        let routes = self.dir.join("routes");
        let folder = routes.join(name);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("1.0.0.toml"), format!("name = {name:?}\nversion = \"1.0.0\"\n\n{entries}"))?;
        self.write_config(name, (&routes, &format!("{name}@1.0.0")), &root().join("policies"), more)
    }

    /// The same with the shipped versions and the next ones.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn config_versions(&self, name: &str, versions: &Versions, more: &str) -> Result<PathBuf> {
        let route = scorer::Config::default().route;
        self.write_config(name, (&versions.routes, &route), &versions.policies, more)
    }

    /// Copies the shipped policy and route, and writes a next version of each that says the same.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn next_versions(&self) -> Result<Versions> {
        let copy = |kind: &str, label: &str, extension: &str| {
            let (name, version) = label.split_once('@').context("name@version")?;
            let text = std::fs::read_to_string(root().join(format!("{kind}/{name}/{version}.{extension}")))?;
            let folder = self.dir.join("versions").join(kind);
            let next = "9.0.0";
            let file = folder.join(format!("{name}/{next}.{extension}"));
            std::fs::create_dir_all(folder.join(name))?;
            std::fs::write(folder.join(format!("{name}/{version}.{extension}")), &text)?;
            std::fs::write(&file, text.replacen(version, next, 1))?;
            anyhow::Ok((folder, Digest::of(text.as_bytes()).to_string(), file, format!("{name}@{next}")))
        };
        let (policies, first_policy, policy, _) =
            copy("policies", &decision::Config::default().default_policy, "yaml")?;
        let (routes, first_route, _, route_name) = copy("routes", &scorer::Config::default().route, "toml")?;
        Ok(Versions { policies, routes, first_policy, first_route, policy, route_name })
    }

    /// Makes a topic of a sender's beside those of the stack, with as many partitions as it likes.
    ///
    /// # Errors
    /// When the broker refuses.
    pub fn add_topic(&self, base: &str, partitions: i32) -> Result<()> {
        let name = self.kafka.topic(base);
        let topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(self.kafka.replication_factor))
            .set("message.timestamp.type", "LogAppendTime")
            .set("max.message.bytes", SENDER_MAX_BYTES);
        let admin: AdminClient<DefaultClientContext> = self.kafka.client().create()?;
        for made in runtime()?.block_on(admin.create_topics([&topic], &AdminOptions::new()))? {
            if let Err((name, code)) = made {
                bail!("creating topic {name}: {code}");
            }
        }
        // Where its readers begin. A topic that was just made may have no leader yet.
        let (senders, started) = ([base.to_owned()], Instant::now());
        loop {
            match runtime()?.block_on(defaultx::topics::apply(&self.kafka, &senders)) {
                Err(_) if started.elapsed() < LEADER_WITHIN => std::thread::sleep(Duration::from_millis(200)),
                applied => break applied.map(drop)?,
            }
        }
        self.give_rights(&senders)
    }

    fn write_config(&self, name: &str, (routes, route): (&Path, &str), policies: &Path, more: &str) -> Result<PathBuf> {
        let path = self.dir.join(format!("{name}.toml"));
        let models = root().join("models");
        let text = format!(
            "[process]\nops_listen = \"127.0.0.1:0\"\nlog_filter = \"info,librdkafka=off,tract=warn\"\n\n\
             [kafka]\nbootstrap = {:?}\ntopic_prefix = {:?}\nreplication_factor = 1\n{}\n[database]\nurl = {:?}\n{}\n\
             [scorer]\nmodels_dir = {models:?}\nroutes_dir = {routes:?}\nroute = {route:?}\n\n[decision]\npolicy_dir = {policies:?}\n\n\
             [audit-sink]\nmodels_dir = {:?}\ndigest_key = \"{}\"\ncheckpoint_key = \"{}\"\n\n{more}",
            self.kafka.bootstrap,
            self.kafka.topic_prefix,
            self.logins(),
            self.database.url.expose(),
            self.database_logins(),
            models.display().to_string(),
            hex(&DIGEST_KEY),
            hex(&CHECKPOINT_KEY),
        );
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// What every process may show, as TOML.
    fn logins(&self) -> String {
        let kafka = &self.kafka;
        let own = kafka.sasl_username.iter().zip(&kafka.sasl_password);
        let own =
            own.map(|(user, password)| format!("sasl_username = {user:?}\nsasl_password = {:?}\n", password.expose()));
        let workers = kafka.principals.iter().filter_map(|(name, login)| {
            let password = login.password.as_ref()?.expose();
            Some(format!("\n[kafka.principals.{name}]\npassword = {password:?}\n"))
        });
        own.chain(workers).collect()
    }

    /// The same of the database.
    fn database_logins(&self) -> String {
        let logins = self.database.logins.iter().filter_map(|(name, login)| {
            let password = login.password.as_ref()?.expose();
            Some(format!("\n[database.logins.{name}]\npassword = {password:?}\n"))
        });
        logins.collect()
    }

    /// Where this run's files are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

/// In hexadecimal digits.
pub fn hex(key: &[u8; 32]) -> String {
    key.map(|byte| format!("{byte:02x}")).concat()
}

/// A small runtime for the few things that are async here.
///
/// # Errors
/// When no thread is to be had.
pub fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}
