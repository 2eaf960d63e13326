//! `model run`: a bare graph over a file of rows, block by block, so that memory does not grow with the file.

use super::package;
use super::progress::Terminal;
use crate::cli::RunGraphArgs;
use crate::say::Out;
use anyhow::{Context, Result, ensure};
use csv::Writer;
use inference::graph::{Files, Graph, Matched, Options, Output, Table, Values};
use model_import::{Cells, Rows, Written, places};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Rows that are held at once.
const BLOCK: usize = 8_192;

/// Runs it.
pub fn run(args: &RunGraphArgs) -> Result<i32> {
    let written = package::written(&args.rows)?;
    let mut rows = Rows::open(&args.input, &written, &Terminal)?;
    let named = || args.input.display().to_string();
    let header = rows.header().to_vec();
    let kept = places(&header, &args.keep)?;
    let given = match args.columns.as_slice() {
        [] => rows.columns().filter(|at| !kept.contains(at)).collect(),
        columns => places(&header, columns)?,
    };
    let names: Vec<String> = given.iter().map(|at| header[*at].clone()).collect();
    let graph = load(&args.graph, given.len())?;
    let kinds = graph.kinds(&names).with_context(|| misfit(&named(), &names))?;
    let how = match graph.matched(&names)? {
        Matched::Names => " by name",
        Matched::Order => " in their order, since none has a name of the graph's inputs,",
    };

    rows.select(&[given.as_slice(), &kept].concat())?;
    let sheet = Sheet { names, kinds, given, kept, written };
    let mut sink = Sink::create(args.output.as_deref())?;
    let mut heading: Vec<String> = sheet.kept.iter().map(|at| header[*at].clone()).collect();
    let (mut count, mut is_headed) = (0_u64, false);
    loop {
        let block = sheet.read(&mut rows, BLOCK)?;
        let outputs = graph.run(&block.table).with_context(|| format!("{}, rows from {} on", named(), count + 1))?;
        let chosen = chosen(&outputs, args.labels);
        if !is_headed {
            heading.extend(chosen.iter().flat_map(|output| output.columns.iter().cloned()));
            sink.csv.write_record(&heading)?;
            is_headed = true;
        }
        for (row, kept) in block.kept.iter().enumerate() {
            write_row(&mut sink.csv, kept, &chosen, row)?;
        }
        count += block.kept.len() as u64;
        if block.kept.len() < BLOCK {
            break;
        }
    }
    sink.keep()?;
    eprintln!("{count} rows, {} columns{how} to {}", sheet.names.len(), outputs_of(args));
    if !graph.left_out().is_empty() {
        eprintln!("left out, being the same for all rows: {}", crate::terminal::line(&graph.left_out().join(", ")));
    }
    if let Some(why) = graph.meet() {
        eprintln!("each row was run for itself, which is slower: the graph takes rows together, at {why}");
    }
    Ok(0)
}

/// Files beside a graph are read up to this many bytes together: its weights, where it is too large for one file.
const MOST_BESIDE: u64 = 4 << 30;

/// A graph with the files beside it that it names.
pub(super) fn load(path: &Path, columns: usize) -> Result<Graph> {
    let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let named = || path.display().to_string();
    let folder = path.parent().unwrap_or(Path::new("."));
    let (mut files, mut together) = (Files::new(), 0);
    for name in inference::files_of(&bytes).with_context(named)? {
        let beside = folder.join(&name);
        let reading = || format!("{}: its weights are in {}", named(), beside.display());
        together += std::fs::metadata(&beside).with_context(reading)?.len();
        ensure!(together <= MOST_BESIDE, "{}: its files hold more than {} GiB", named(), MOST_BESIDE >> 30);
        files.insert(name, std::fs::read(&beside).with_context(reading)?);
    }
    let options = Options { columns: Some(columns), files: Some(&files), ..Options::default() };
    Graph::with(&bytes, &options).with_context(named)
}

fn outputs_of(args: &RunGraphArgs) -> String {
    args.output.as_ref().map_or("standard output".to_owned(), |path| path.display().to_string())
}

/// Of a file whose columns are not the graph's.
fn misfit(file: &str, names: &[String]) -> String {
    format!(
        "{file} has the columns {}; copy an id or a label to the output with --keep COLUMN instead of giving it to the graph, \
         or name the graph's own with --columns",
        names.join(", ")
    )
}

/// The columns of a file, and which of them are whose.
struct Sheet {
    /// Of the columns that the graph takes, in its order.
    names: Vec<String>,
    kinds: Vec<inference::graph::Kind>,
    given: Vec<usize>,
    kept: Vec<usize>,
    written: Written,
}

struct Block {
    table: Table,
    /// By row.
    kept: Vec<Vec<String>>,
}

impl Sheet {
    /// The next rows, fewer than asked for at the end of the file only.
    fn read(&self, rows: &mut Rows, most: usize) -> Result<Block> {
        let mut columns: Vec<Cells> = self.kinds.iter().map(|kind| Cells::of(*kind, &self.written)).collect();
        let mut kept = Vec::new();
        while kept.len() < most && rows.advance()? {
            for ((cells, at), name) in columns.iter_mut().zip(&self.given).zip(&self.names) {
                cells.push(rows.cell(*at)).map_err(|why| rows.fault(name, &why))?;
            }
            kept.push(self.kept.iter().map(|at| rows.cell(*at).to_string()).collect());
        }
        let columns = columns.into_iter().zip(&self.names).map(|(cells, name)| cells.column(name)).collect();
        Ok(Block { table: Table { columns }, kept })
    }
}

/// Outputs of numbers; those of classes too if asked for, or if there are no others.
fn chosen(outputs: &[Output], labels: bool) -> Vec<&Output> {
    let is_number = |output: &&Output| matches!(output.values, Values::F32(_) | Values::F64(_));
    let numbers: Vec<&Output> = outputs.iter().filter(is_number).collect();
    if labels || numbers.is_empty() { outputs.iter().collect() } else { numbers }
}

fn write_row(csv: &mut Writer<Box<dyn Write>>, kept: &[String], outputs: &[&Output], row: usize) -> Result<()> {
    for cell in kept {
        csv.write_field(cell)?;
    }
    for output in outputs {
        let width = output.columns.len();
        for at in row * width..(row + 1) * width {
            match &output.values {
                Values::F32(cells) => csv.write_field(cells[at].to_string())?,
                Values::F64(cells) => csv.write_field(cells[at].to_string())?,
                Values::I64(cells) => csv.write_field(cells[at].to_string())?,
                Values::Text(cells) => csv.write_field(&cells[at])?,
            }
        }
    }
    Ok(csv.write_record(None::<&[u8]>)?)
}

/// Where answers go: beside the file that is asked for until they are whole.
struct Sink {
    csv: Writer<Box<dyn Write>>,
    /// From, to.
    rename: Option<(PathBuf, PathBuf)>,
}

impl Sink {
    fn create(output: Option<&Path>) -> Result<Self> {
        let Some(path) = output else {
            return Ok(Self { csv: Writer::from_writer(Box::new(Out)), rename: None });
        };
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let file = File::create(&partial).with_context(|| format!("writing {}", path.display()))?;
        Ok(Self { csv: Writer::from_writer(Box::new(file)), rename: Some((partial.into(), path.to_owned())) })
    }

    fn keep(mut self) -> Result<()> {
        self.csv.flush()?;
        match self.rename.take() {
            Some((from, to)) => std::fs::rename(from, &to).with_context(|| format!("writing {}", to.display())),
            None => Ok(()),
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Some((partial, _)) = self.rename.take()
            && let Err(error) = std::fs::remove_file(&partial)
        {
            eprintln!("{} is left: {error}", partial.display());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_fails_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.csv");
        drop(Sink::create(Some(&path)).unwrap());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        Sink::create(Some(&path)).unwrap().keep().unwrap();
        assert!(path.exists());
    }
}
