//! `inframe models eval`: how well a pack does on labelled photos. Needs no running daemon.

use std::path::PathBuf;

use clap::Args;
use inframe_models::eval::{EvalError, Protection, Report, Variant, evaluate};
use inframe_models::{Engine, EngineError, Pack, PackError};
use inframe_protocol::template::{self, Projection, ProjectionKey, Template};
use thiserror::Error;

use super::text::{Screen, one_line, plain};

#[derive(Debug, Args)]
pub(super) struct EvalArgs {
    /// The labelled photos
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Turn the photos clockwise
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true, value_name = "DEGREES")]
    turn: f32,
    /// Shrink each photo until its middling face is so wide
    #[arg(long, value_name = "PIXELS")]
    shrink_to: Option<f32>,
    /// Paste each photo into the middle of a plain frame
    #[arg(long, value_parser = frame, value_name = "WIDTHxHEIGHT")]
    frame: Option<(u32, u32)>,
    /// Event keys that templates are measured under
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    keys: u32,
    /// Measure the pack in this folder instead of the built-in one
    #[arg(long, value_name = "FOLDER")]
    pack: Option<PathBuf>,
}

/// Why nothing was measured.
#[derive(Debug, Error)]
pub(super) enum EvalFailure {
    #[error(transparent)]
    Pack(#[from] PackError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Eval(#[from] EvalError),
    #[error("the report cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

fn frame(text: &str) -> Result<(u32, u32), String> {
    let sides = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    sides.ok_or_else(|| "not WIDTHxHEIGHT, as in 4000x3000".to_owned())
}

pub(super) fn run(args: EvalArgs, screen: &Screen) -> Result<(), EvalFailure> {
    let report = measure(&args, screen)?;
    if screen.json {
        println!("{:#}", serde_json::to_value(&report)?);
    } else {
        print!("{}", plain(&report.to_string()));
    }
    Ok(())
}

fn measure(args: &EvalArgs, screen: &Screen) -> Result<Report, EvalFailure> {
    let pack = args.pack.as_deref().map_or_else(Pack::builtin, Pack::load)?;
    let engine = Engine::load(&pack)?;
    let project = |key: u32, embedding: &[f32]| {
        let key = ProjectionKey(*blake3::hash(&key.to_le_bytes()).as_bytes());
        Projection::new(&key).project(embedding, pack.centre()).ok().map(|template| template.0.to_vec())
    };
    let distance = |a: &[u8], b: &[u8]| match (a.try_into(), b.try_into()) {
        (Ok(a), Ok(b)) => template::distance(&Template(a), &Template(b)),
        _ => f32::INFINITY,
    };
    let protection = Protection { keys: args.keys, project: &project, distance: &distance };
    let variant = Variant { turn: args.turn, shrink_to: args.shrink_to, frame: args.frame };
    let report = evaluate(&engine, &args.folder, variant, Some(&protection), &mut |name, done, all| {
        screen.progress(&format!("{}: photo {} of {all}", one_line(name), done + 1));
    });
    screen.progress_over();
    Ok(report?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn frames_are_width_and_height() {
        assert_eq!(frame("4000x3000"), Ok((4000, 3000)));
        for wrong in ["", "4000", "4000x", "x3000", "-1x5", "4000 x 3000"] {
            assert!(frame(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_folder_without_labels_is_an_error_that_says_what_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let args = args(folder.path(), 1);
        let error = run(args, &Screen { json: true }).unwrap_err().to_string();
        assert!(error.contains("pairs.csv") && error.contains("boxes.json"), "{error}");
    }

    fn args(folder: &Path, keys: u32) -> EvalArgs {
        EvalArgs { folder: folder.to_owned(), turn: 0.0, shrink_to: None, frame: None, keys, pack: None }
    }

    #[test]
    fn people_are_told_by_their_templates_and_no_strangers_are_surely_one_person() {
        let Some(root) = std::env::var_os("INFRAME_EVAL_DIR") else {
            eprintln!("skipped: INFRAME_EVAL_DIR is not set");
            return;
        };
        let report = measure(&args(&Path::new(&root).join("faces"), 100), &Screen { json: true }).unwrap();
        for part in &report.parts {
            assert_eq!((part.strangers.template_sure, part.within_photos.template_sure), (0, 0), "{report}");
        }
        let template = report.parts.iter().find_map(|part| part.recognition.as_ref()?.template.clone()).unwrap();
        assert!(template.eer.0 <= 0.01 && template.tpr_at_1e2.0 >= 0.995, "{report}");
        assert!(template.sure.told >= 0.9 && template.sure.wrong == 0, "{report}");
    }
}
