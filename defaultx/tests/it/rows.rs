//! Files of rows as `model run` and `model import` read them: Parquet says what CSV says, and CSV may be written otherwise.

use crate::model::{graphs, model, root, said, table, words};
use std::path::{Path, PathBuf};

fn stored(name: &str) -> PathBuf {
    root().join("defaultx/tests/it/rows").join(name)
}

/// `tests/it/rows/make.py` wrote the files, of the rows of the CSV files.
#[test]
fn parquet_gives_the_answers_of_csv() {
    for (name, more) in [
        ("xgboost", &["--keep", "id"][..]),
        ("lightgbm", &["--keep", "id"]),
        ("catboost", &["--keep", "id"]),
        ("pipeline", &["--keep", "id"]),
        ("pipeline", &["--keep", "id,home,debt", "--columns", "home,dependants,age_of_file,months,debt,income"]),
    ] {
        let graph = graphs().join(format!("{name}.onnx"));
        let input = |path: &Path| {
            let ran = model(&[&["run", words(&graph), "--input", words(path)], more].concat());
            assert!(ran.status.success(), "{name}: {}", said(&ran.stderr));
            table(&ran.stdout)
        };
        let (header, rows) = input(&stored(&format!("{name}.parquet")));
        let (expected_header, expected) = input(&graphs().join(format!("{name}.csv")));
        assert_eq!(header, expected_header, "{name}");
        assert_eq!(rows.len(), expected.len(), "{name}");
        // A copied cell is the same number, if not in the same letters: 2 for 2.0.
        let same = |a: &String, b: &String| a == b || a.parse::<f64>().is_ok_and(|a| Ok(a) == b.parse::<f64>());
        for (at, (row, expected)) in rows.iter().zip(&expected).enumerate() {
            assert!(row.iter().zip(expected).all(|(a, b)| same(a, b)), "{name}, row {at}: {row:?}, {expected:?}");
        }
    }
}

#[test]
fn parquet_that_cannot_be_run_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let cut = dir.path().join("cut.parquet");
    std::fs::write(&cut, &std::fs::read(stored("xgboost.parquet")).unwrap()[..2_000]).unwrap();
    let (xgboost, pipeline, kinds) = (stored("xgboost.parquet"), stored("pipeline.parquet"), stored("kinds.parquet"));
    let rows: [(&str, &Path, &[&str], &str); 7] = [
        ("xgboost", &xgboost, &[], "has the columns id, income, debt, months, age_of_file; copy an id"),
        (
            "xgboost",
            &pipeline,
            &["--keep", "home"],
            "has the columns id, dependants, age_of_file, months, debt, income",
        ),
        (
            "xgboost",
            &kinds,
            &["--columns", "single,double,span,int"],
            "column span holds decimals: write them in double",
        ),
        (
            "xgboost",
            &kinds,
            &["--columns", "single,double,text,int"],
            "kinds.parquet, row 1, column text: \"own\" is no number",
        ),
        (
            "pipeline",
            &kinds,
            &["--columns", "single,double,int,long,text,byte"],
            "kinds.parquet, row 3, column byte: is empty, and the graph takes whole numbers there",
        ),
        (
            "pipeline",
            &kinds,
            &["--columns", "single,single,int,long,double,byte"],
            "row 1, column double: 0.1 is no word, which the graph takes there: write the column as text",
        ),
        ("xgboost", &cut, &[], "cut.parquet: is cut short: it does not end with PAR1"),
    ];
    for (name, input, more, expected) in rows {
        let (graph, out) = (graphs().join(format!("{name}.onnx")), dir.path().join("out.csv"));
        let arguments = ["run", words(&graph), "--input", words(input), "--output", words(&out)];
        let ran = model(&[&arguments, more].concat());
        assert!(!ran.status.success(), "{expected}");
        assert!(said(&ran.stderr).contains(expected), "{} does not say {expected}", said(&ran.stderr));
        assert!(!out.exists(), "{expected}");
    }
}

/// The sample and the library's answers, as Parquet or as CSV of another country, make the same package.
#[test]
fn a_package_does_not_depend_on_how_its_sample_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let graph = graphs().join("xgboost.onnx");
    let (header, rows) = table(&std::fs::read(graphs().join("xgboost.csv")).unwrap());
    let (_, answers) = table(&std::fs::read(graphs().join("xgboost.expected.csv")).unwrap());
    let risk: Vec<f64> = answers.iter().map(|answer| answer[1].parse().unwrap()).collect();
    let mut sorted = risk.clone();
    sorted.sort_by(f64::total_cmp);
    let outcome = |at: usize| u8::from((risk[at] > sorted[risk.len() / 2]) != at.is_multiple_of(5)).to_string();

    let write = |name: &str, elsewhere: bool| {
        let delimiter = if elsewhere { b';' } else { b',' };
        let number = |cell: &str| match cell {
            "" if elsewhere => "NA".to_owned(),
            cell if elsewhere => cell.replace('.', ","),
            cell => cell.to_owned(),
        };
        let csv =
            |name: String| csv::WriterBuilder::new().delimiter(delimiter).from_path(dir.path().join(name)).unwrap();
        let (mut sample, mut native) = (csv(format!("{name}.csv")), csv(format!("{name}.native.csv")));
        sample.write_record(header.iter().map(String::as_str).chain(["default"])).unwrap();
        native.write_record(["id", "probability"]).unwrap();
        for (at, row) in rows.iter().enumerate() {
            let cells = row.iter().enumerate().map(|(at, cell)| if at == 0 { cell.clone() } else { number(cell) });
            sample.write_record(cells.chain([outcome(at)])).unwrap();
            native.write_record([&row[0], &number(&answers[at][1])]).unwrap();
        }
        sample.flush().unwrap();
        native.flush().unwrap();
        (dir.path().join(format!("{name}.csv")), dir.path().join(format!("{name}.native.csv")))
    };
    let import = |name: &str, (sample, native): (PathBuf, PathBuf), more: &[&str]| {
        let out = dir.path().join(name);
        let mut arguments = vec!["import", words(&graph), "--sample", words(&sample), "--native", words(&native)];
        arguments.extend(["--label", "default", "--without", "id", "--product", "credit_card", "--out", words(&out)]);
        let imported = model(&[&arguments, more].concat());
        assert!(imported.status.success(), "{name}: {}", said(&imported.stderr));
        let package = out.join("xgboost/1.0.0");
        ["golden.json", "reference.json", "model.onnx", "native.csv.gz"]
            .map(|file| std::fs::read(package.join(file)).unwrap())
    };
    let plain = import("plain", write("plain", false), &[]);
    let options = ["--missing", "NA", "--decimal-comma", "--delimiter", ";"];
    assert!(import("elsewhere", write("elsewhere", true), &options) == plain);
    assert!(import("parquet", (stored("sample.parquet"), stored("native.parquet")), &[]) == plain);

    let (sample, _) = write("elsewhere", true);
    for (more, expected) in [
        (&[][..], "has one column, called \"id;income;debt;months;age_of_file;default\": say --delimiter ';'"),
        (
            &["--delimiter", ";"],
            "line 2, column income: \"2,0\" is no number; a missing one is an empty cell; say --decimal-comma",
        ),
        (
            &["--delimiter", ";", "--decimal-comma"],
            "line 2, column debt: \"NA\" is no number; a missing one is an empty cell; say --missing NA",
        ),
        (&["--delimiter", "x"], "--delimiter 'x': must be one character such as , ; | or a tab"),
    ] {
        let mut arguments = vec!["import", words(&graph), "--sample", words(&sample), "--label", "default"];
        arguments.extend(["--without", "id", "--product", "credit_card", "--out", words(dir.path())]);
        let imported = model(&[&arguments, more].concat());
        assert!(!imported.status.success(), "{expected}");
        assert!(said(&imported.stderr).contains(expected), "{} does not say {expected}", said(&imported.stderr));
    }
}
