//! Templates of real embeddings: they keep apart what the embeddings keep apart. Needs a folder with `golden/sample*.json` and
//! `golden/mean128.json` (embeddings only, no image), named by `INFRAME_EVAL_DIR`; skipped without.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure of the helpers is a failure of the test")]

use std::fs;
use std::path::Path;

use inframe_protocol::template::{Projection, ProjectionKey, Template, distance};
use serde_json::Value;

/// Distance of two embeddings under which they are surely of one person, and over which they are surely not, for the built-in pack.
const SAME: f32 = 0.35;
const DIFFERENT: f32 = 0.75;
/// Template distance of as many false matches (one in a thousand) as the threshold of plain embeddings gives.
const THRESHOLD: f32 = 12.86;

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn mean_of(file: &Value) -> Vec<f32> {
    match file {
        Value::Array(_) => numbers(file),
        Value::Object(fields) => fields.values().find(|value| value.is_array()).map(numbers).unwrap(),
        _ => panic!("a mean is a list of numbers"),
    }
}

#[test]
fn templates_keep_the_order_of_embeddings() {
    let Ok(folder) = std::env::var("INFRAME_EVAL_DIR") else {
        println!("skipped: INFRAME_EVAL_DIR is not set");
        return;
    };
    let golden = Path::new(&folder).join("golden");
    let mean = mean_of(&read(&golden.join("mean128.json")));
    let mut embeddings = Vec::new();
    for sample in 1..=6 {
        for face in read(&golden.join(format!("sample{sample}.json")))["faces"].as_array().unwrap() {
            embeddings.extend([numbers(&face["embedding"]), numbers(&face["embedding_5pt"])]);
        }
    }
    let (mut near, mut far) = (0, 0);
    for key in 0..5 {
        let projection = Projection::new(&ProjectionKey([key; 32]));
        let templates: Vec<Template> =
            embeddings.iter().map(|embedding| projection.project(embedding, &mean).unwrap()).collect();
        for (a, one) in embeddings.iter().enumerate() {
            assert_eq!(templates[a].check(), Ok(()));
            assert_eq!(templates[a].check_face(&ProjectionKey([key; 32])), Ok(()));
            for (b, other) in embeddings.iter().enumerate().skip(a + 1) {
                let plain = one.iter().zip(other).map(|(one, other)| (one - other).powi(2)).sum::<f32>().sqrt();
                let protected = distance(&templates[a], &templates[b]);
                if plain < SAME {
                    near += 1;
                    assert!(protected < THRESHOLD, "{a} and {b}: {plain} became {protected}");
                } else if plain > DIFFERENT {
                    far += 1;
                    assert!(protected > THRESHOLD, "{a} and {b}: {plain} became {protected}");
                }
            }
        }
    }
    assert!(near >= 50 && far >= 500, "{near} near and {far} far pairs");
}
