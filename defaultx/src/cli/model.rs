//! What can be asked of models. Does nothing.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Subcommands of `model`.
#[derive(Debug, Clone, Subcommand)]
pub enum ModelCommand {
    /// Run a bare ONNX graph, as its exporter wrote it, over a CSV or Parquet file
    #[command(after_help = RUN)]
    Run(RunGraphArgs),
    /// Make a package to fill in, of a bare ONNX graph and a sample of rows whose outcome is known
    #[command(after_help = IMPORT)]
    Import(ImportArgs),
    /// Prove packages as the scorer does when it loads them, and say what their contracts cover
    #[command(after_help = CHECK)]
    Check {
        /// Package folders such as models/taiwan-scorecard/1.0.0
        #[arg(required = true, value_name = "PACKAGE")]
        packages: Vec<PathBuf>,
        /// The products' scales
        #[arg(long, value_name = "FILE", default_value = "models/scales.toml")]
        scales: PathBuf,
        /// One JSON document for each package, one a line
        #[arg(long)]
        json: bool,
    },
    /// Write the golden applications of a package anew, after its manifest was edited: pointer, expr, type, range, missing
    #[command(after_help = GOLDEN)]
    Golden {
        /// Which package
        #[command(flatten)]
        package: PackageArgs,
        /// Applications' `data`, or events that hold it, as a JSON list or one a line; needed where an expr reads what the golden
        /// applications lack
        #[arg(long, value_name = "FILE")]
        applications: Option<PathBuf>,
    },
    /// Say what each feature of one application did to its score, as a bar chart
    #[command(after_help = EXPLAIN)]
    Explain {
        /// Which package
        #[command(flatten)]
        package: PackageArgs,
        /// The application's `data`, or an event that holds it; `-` is standard input
        #[arg(long, value_name = "FILE")]
        input: PathBuf,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Measure a package on this machine: rows a second and microseconds a row, on one thread
    #[command(after_help = BENCH)]
    Bench {
        /// Which package
        #[command(flatten)]
        package: PackageArgs,
        /// Seconds for each figure
        #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
        seconds: f64,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Put a package version in force, in every partition at one position
    Activate {
        /// Package folder; every scorer that runs must hold it
        package: PathBuf,
        /// The products' scales
        #[arg(long, value_name = "FILE", default_value = "models/scales.toml")]
        scales: PathBuf,
        /// Who asks
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Also where a member of the scorers' group has not announced what it holds
        #[arg(long)]
        unasked: bool,
    },
}

/// A package and what it needs.
#[derive(Debug, Clone, Args)]
pub struct PackageArgs {
    /// Package folder such as models/taiwan-scorecard/1.0.0
    pub package: PathBuf,
    /// The products' scales
    #[arg(long, value_name = "FILE", default_value = "models/scales.toml")]
    pub scales: PathBuf,
}

/// How the files of rows are written that a command reads.
#[derive(Debug, Clone, Args)]
pub struct RowsArgs {
    /// Words that stand for a missing value beside the empty cell, such as NA,null
    #[arg(long, value_name = "WORD", value_delimiter = ',')]
    pub missing: Vec<String>,
    /// Numbers in text are written 1.234,5 for 1234.5
    #[arg(long)]
    pub decimal_comma: bool,
    /// What stands between two cells of a CSV file
    #[arg(long, value_name = "CHARACTER", default_value_t = ',')]
    pub delimiter: char,
}

/// Options of `model run`.
#[derive(Debug, Clone, Args)]
pub struct RunGraphArgs {
    /// The graph: scikit-learn, XGBoost, LightGBM, CatBoost, PyTorch or Keras, exported and unedited
    #[arg(value_name = "GRAPH.onnx")]
    pub graph: PathBuf,
    /// CSV file with a header, `.gz` is unpacked, or Parquet file; an empty cell or null is a missing value
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// Where the answers go, one line for each row; without it, standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Only these columns go to the graph, in this order; without it all that are not kept
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Copy these columns to the output, and do not give them to the graph
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub keep: Vec<String>,
    /// Write the outputs that hold classes too, not only numbers
    #[arg(long)]
    pub labels: bool,
    /// How the input is written
    #[command(flatten)]
    pub rows: RowsArgs,
}

/// Options of `model import`.
#[derive(Debug, Clone, Args)]
pub struct ImportArgs {
    /// The graph, exported and unedited
    #[arg(value_name = "GRAPH.onnx")]
    pub graph: PathBuf,
    /// CSV file with a header, `.gz` is unpacked, or Parquet file, best of rows that the model was not trained on; an empty cell or
    /// null is a missing value
    #[arg(long, value_name = "FILE")]
    pub sample: PathBuf,
    /// Column of the outcome: 1 is a default, 0 is none; with --bad-label the class of each row
    #[arg(long, value_name = "COLUMN")]
    pub label: String,
    /// The risky class by its name in the graph; without it 1
    #[arg(long, value_name = "LABEL")]
    pub bad_label: Option<String>,
    /// What a graph's only number is, where it has no sigmoid or softmax; without it what fits the sample's outcomes better
    #[arg(long, value_name = "KIND", value_parser = ["probability", "log_odds"])]
    pub answer: Option<String>,
    /// CSV or Parquet file of the library's own answers to the sample's rows, in their order: a probability of the risky class each
    #[arg(long, value_name = "FILE")]
    pub native: Option<PathBuf>,
    /// Name and version of that library
    #[arg(long, value_name = "NAME", default_value = "the training library", requires = "native")]
    pub library: String,
    /// Accept an export that differs from its library by up to so much of a probability, and put that on record
    #[arg(long, value_name = "BOUND", requires = "native")]
    pub accept_deviation: Option<f64>,
    /// Only these columns are features, in the graph's order; without it all that are not the label or left out
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Leave these columns out, such as an id
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub without: Vec<String>,
    /// Folder of packages; the package is DIR/NAME/1.0.0
    #[arg(long, value_name = "DIR", default_value = "models")]
    pub out: PathBuf,
    /// The package's name; without it the graph's file name
    #[arg(long)]
    pub name: Option<String>,
    /// Which product the model is for: one that has a scale; needed if there are several
    #[arg(long)]
    pub product: Option<String>,
    /// The products' scales
    #[arg(long, value_name = "FILE", default_value = "models/scales.toml")]
    pub scales: PathBuf,
    /// pd from which an applicant is class 1; without it the sample's rate of defaults
    #[arg(long, value_name = "PD")]
    pub threshold: Option<f64>,
    /// Months within which the outcome was looked for
    #[arg(long, value_name = "MONTHS", default_value_t = 12)]
    pub horizon_months: u32,
    /// How the sample and the library's answers are written
    #[command(flatten)]
    pub rows: RowsArgs,
}

const RUN: &str = "\
Columns are found by name: an input of one column by its own, one of several by its own and a number, x[0], x[1] and so on.
Where any column has such a name all must, to the letter. Where none has, they go to the inputs in their order, and that is
said. An input of three dimensions, such as twelve months of three figures, takes 36 columns, month by month.

The output has one column for each class probability (`probabilities_0`, `probabilities_1`) or target. Numbers are
written so that reading them gives the same bits. Memory does not grow with the file. A file that cannot be run to its
end leaves no output.

A file that begins as Parquet does is read as Parquet, whatever its name. Its columns are of numbers, true and false, or
text; null is missing, NaN stays NaN, and the index that pandas adds is no column for the graph. Dates, decimals and lists
are refused by name.

Examples:
  defaultx model run xgboost.onnx --input rows.csv --output scores.csv
  defaultx model run pipeline.onnx --input rows.csv.gz --keep loan_id,default --labels > scores.csv
  defaultx model run net.onnx --input rows.csv --columns income,debt,age
  defaultx model run net.onnx --input rows.parquet --output scores.csv
  defaultx model run net.onnx --input rows.csv --delimiter ';' --decimal-comma --missing NA,null";

const IMPORT: &str = "\
What the graph is (trees, a scorecard, a net, another graph) is told by what it gives for the sample. The package gets a
feature for each column, with type and range as the sample has them, read from /attributes; a calibration by Platt; golden
answers, which are this engine's own; the reference that contributions are measured against; and a card with the sample's
figures. The margin is what the graph's last sigmoid or softmax is given, else the log-odds of its probability. Contributions
are exact for trees, also behind scalers and imputers, for scorecards and for graphs that add up their features' parts.

A stock export can be wrong while it runs without a fault. With --native the library's own answers prove that it is not:
thresholds of trees that the exporter rounded are repaired where that makes more answers right, which the card says; where
answers still differ, nothing is written unless --accept-deviation says how far they may.

Reasons are left as FILL_IN, and a package with any of those does not load: only people know what may be told to an
applicant. Everything else is proven before it is written.

Examples:
  defaultx model import xgboost.onnx --sample holdout.csv --label default --product credit_card --without loan_id
  defaultx model import logistic.onnx --sample holdout.csv --label status --bad-label bad --native probabilities.csv
  defaultx model import logistic.onnx --sample holdout.parquet --label default --native probabilities.parquet
  $EDITOR models/xgboost/1.0.0/manifest.toml
  defaultx model check models/xgboost/1.0.0";

const GOLDEN: &str = "\
The rows of the graph's inputs stay as they are, and so do graph, reference and calibration: what the package answers for a row is still
held to what it was. Each value of a golden application is put where the manifest's pointer leads now, and what this engine says of it
is written to golden.json; manifest.toml names its new digest. A version that has scored anything is never edited: copy its folder to
another version first.

Examples:
  defaultx model golden models/logistic/1.0.0
  defaultx model golden models/logistic/1.0.0 --applications some.jsonl";

const CHECK: &str = "\
A package is proven by its own files: digests, contract, graph, reference, the golden rows and whole applications with
their expected answers, and claimed directions. On top of that the golden rows are answered alone, in blocks and shuffled,
which must not change a bit; the library's own answers are compared, where the package brings them; and this says how near
all answers are, what a missing value of each feature does to a typical row, and what of the contract the golden rows reach.

Ends with code 1 if any package may not serve: any answer that is further off than its tolerance is a fault, which names the
row and the value. Notes do not change the code.

Examples:
  defaultx model check models/taiwan-scorecard/1.0.0
  defaultx model check models/*/1.0.0 --json";

const EXPLAIN: &str = "\
Contributions are parts of the log-odds of default against the package's reference population, strongest first: a bar to
the right makes the application riskier. With the base they add up to the margin.

Examples:
  defaultx model explain models/taiwan-scorecard/1.0.0 --input application.json
  jq '.applications[0].data' models/sba-net/1.0.0/golden.json | defaultx model explain models/sba-net/1.0.0 --input -";

const BENCH: &str = "\
Rows are the package's golden applications, over and over. Mapping an application, scoring it alone, and scoring it in
blocks are timed for themselves; scores come with contributions and reasons, as in the stack.

Example:
  defaultx model bench models/taiwan-net/1.0.0 --seconds 1";
