//! Reads labelled folders.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageReader, RgbImage};
use serde::Deserialize;

use super::EvalError;
use crate::limits::MAX_EVAL_PHOTOS;
use crate::{Rect, photo};

const PAIRS: &str = "pairs.csv";
const BOXES: &str = "boxes.json";

/// Endings of the files that are taken for photos.
const ENDINGS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

/// A photo is shrunk to this long side in pixels before it is looked at, as the daemon does.
const LONG_SIDE_PX: u32 = 2560;

/// A labelled folder.
pub(super) struct Labels {
    pub(super) folder: PathBuf,
    pub(super) photos: Vec<LabelledPhoto>,
    /// Pairs of photos that are labelled one by one, with whether they show one person.
    pub(super) pairs: Vec<(usize, usize, bool)>,
    /// Whether boxes are labelled, rather than people.
    pub(super) boxed: bool,
}

/// A photo and what is known of it.
pub(super) struct LabelledPhoto {
    pub(super) path: PathBuf,
    pub(super) name: String,
    /// Number of the person in front, where people are labelled.
    pub(super) person: Option<usize>,
    pub(super) boxes: Vec<LabelledBox>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct LabelledBox {
    #[serde(flatten)]
    pub(super) rect: Rect,
    /// Neither wanted nor wrong.
    #[serde(default)]
    pub(super) ignore: bool,
}

impl Labels {
    /// The folder itself if it is labelled, else the labelled folders in it.
    pub(super) fn find(folder: &Path) -> Result<Vec<Self>, EvalError> {
        if let Some(labels) = Self::read(folder)? {
            return Ok(vec![labels]);
        }
        let mut found = Vec::new();
        for inner in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
            found.extend(Self::read(&inner)?);
        }
        if found.is_empty() { Err(EvalError::NoLabels { path: folder.to_owned() }) } else { Ok(found) }
    }

    fn read(folder: &Path) -> Result<Option<Self>, EvalError> {
        let labels = if folder.join(PAIRS).is_file() {
            Self::from_pairs(folder)?
        } else if folder.join(BOXES).is_file() {
            Self::from_boxes(folder)?
        } else {
            Self::from_folders(folder)?
        };
        match labels {
            Some(labels) if labels.photos.len() > MAX_EVAL_PHOTOS => Err(EvalError::Labels {
                path: folder.to_owned(),
                reason: format!("more than {MAX_EVAL_PHOTOS} photos; take a part of them"),
            }),
            labels => Ok(labels),
        }
    }

    fn from_pairs(folder: &Path) -> Result<Option<Self>, EvalError> {
        let path = folder.join(PAIRS);
        let text = fs::read_to_string(&path).map_err(|source| EvalError::Read { path: path.clone(), source })?;
        let refuse = |reason: String| EvalError::Labels { path: path.clone(), reason };
        let mut photos = photos(folder, None)?;
        let numbers: HashMap<String, usize> = photos.iter().enumerate().map(|(at, p)| (p.name.clone(), at)).collect();
        let number = |name: &str, line: usize| {
            numbers.get(name).copied().ok_or_else(|| refuse(format!("line {line}: {name} is no photo of the folder")))
        };
        let mut pairs = Vec::new();
        for (at, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
            let line_number = at + 1;
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            let (a, b, same) = match fields.as_slice() {
                [a, b, "Yes"] => (a, b, true),
                [a, b, "No"] => (a, b, false),
                _ => return Err(refuse(format!("line {line_number} is not FILE,FILE,Yes or FILE,FILE,No"))),
            };
            pairs.push((number(a, line_number)?, number(b, line_number)?, same));
        }
        let people = joined(photos.len(), pairs.iter().filter(|(_, _, same)| *same).map(|(a, b, _)| (*a, *b)));
        for (photo, person) in photos.iter_mut().zip(people) {
            photo.person = Some(person);
        }
        // A photo that no line names shows nobody in particular.
        for (at, photo) in photos.iter_mut().enumerate() {
            if !pairs.iter().any(|(a, b, _)| *a == at || *b == at) {
                photo.person = None;
            }
        }
        Ok(Some(Self { folder: folder.to_owned(), photos, pairs, boxed: false }))
    }

    fn from_boxes(folder: &Path) -> Result<Option<Self>, EvalError> {
        let path = folder.join(BOXES);
        let bytes = fs::read(&path).map_err(|source| EvalError::Read { path: path.clone(), source })?;
        let boxes: BTreeMap<String, Vec<LabelledBox>> =
            serde_json::from_slice(&bytes).map_err(|error| EvalError::Labels {
                path: path.clone(),
                reason: format!("it is not a list of boxes for each photo: {error}"),
            })?;
        let mut photos = photos(folder, None)?;
        for (name, boxes) in boxes {
            let photo = photos.iter_mut().find(|photo| photo.name == name);
            let reason =
                || EvalError::Labels { path: path.clone(), reason: format!("{name} is no photo of the folder") };
            photo.ok_or_else(reason)?.boxes = boxes;
        }
        Ok(Some(Self { folder: folder.to_owned(), photos, pairs: Vec::new(), boxed: true }))
    }

    /// One folder for each person. A folder with a label file of its own is no person.
    fn from_folders(folder: &Path) -> Result<Option<Self>, EvalError> {
        let mut photos_of_all = Vec::new();
        let mut people = 0;
        for inner in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
            if inner.join(PAIRS).is_file() || inner.join(BOXES).is_file() {
                return Ok(None);
            }
            let photos = photos(&inner, Some(people))?;
            people += usize::from(!photos.is_empty());
            photos_of_all.extend(photos);
        }
        let labels = Self { folder: folder.to_owned(), photos: photos_of_all, pairs: Vec::new(), boxed: false };
        Ok((people >= 2).then_some(labels))
    }
}

/// Everything in a folder, in order.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, EvalError> {
    let failed = |source| EvalError::Read { path: folder.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(failed)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> = entries.collect::<Result<_, _>>().map_err(failed)?;
    paths.sort();
    Ok(paths)
}

pub(super) fn photos(folder: &Path, person: Option<usize>) -> Result<Vec<LabelledPhoto>, EvalError> {
    let is_photo = |path: &PathBuf| {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        path.is_file() && ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
    };
    let photo = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        LabelledPhoto { path, name, person, boxes: Vec::new() }
    };
    Ok(entries(folder)?.into_iter().filter(is_photo).map(photo).collect())
}

/// Numbers of the groups that things form when these pairs belong together.
fn joined(count: usize, pairs: impl Iterator<Item = (usize, usize)>) -> Vec<usize> {
    let mut group: Vec<usize> = (0..count).collect();
    for (a, b) in pairs {
        let (from, to) = (group[a].max(group[b]), group[a].min(group[b]));
        group.iter_mut().filter(|number| **number == from).for_each(|number| *number = to);
    }
    group
}

/// Decodes a photo of the one who runs this, upright.
pub(super) fn open(path: &Path) -> Result<RgbImage, String> {
    let open = || -> Result<DynamicImage, image::ImageError> {
        let reader = ImageReader::new(Cursor::new(fs::read(path)?)).with_guessed_format()?;
        let mut decoder = reader.into_decoder()?;
        let orientation = decoder.orientation()?;
        let mut image = DynamicImage::from_decoder(decoder)?;
        image.apply_orientation(orientation);
        Ok(image)
    };
    open().map(photo::flatten).map_err(|error| error.to_string())
}

/// As the daemon hands photos to the engine.
pub(super) fn at_working_size(image: RgbImage) -> RgbImage {
    photo::flatten(photo::shrink(image.into(), LONG_SIDE_PX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn files_joined_by_yes_are_one_person() {
        let pairs = "file_x,file_y,Decision\na.jpg,b.jpg,Yes\nb.jpg,d.jpg, Yes\na.jpg,c.jpg,No\n";
        let folder = folder_with(&[
            ("pairs.csv", pairs),
            ("a.jpg", ""),
            ("b.jpg", ""),
            ("c.jpg", ""),
            ("d.jpg", ""),
            ("e.jpg", ""),
        ]);
        let [labels] = &Labels::find(folder.path()).unwrap()[..] else { panic!() };
        assert_eq!(
            labels.photos.iter().map(|photo| photo.person).collect::<Vec<_>>(),
            [Some(0), Some(0), Some(2), Some(0), None]
        );
        assert_eq!(labels.pairs, [(0, 1, true), (1, 3, true), (0, 2, false)]);
    }

    #[test]
    fn folders_are_people_and_a_parent_is_its_parts() {
        let people = folder_with(&[("one/a.jpg", ""), ("one/b.PNG", ""), ("two/a.jpg", ""), ("two/notes.txt", "")]);
        let [labels] = &Labels::find(people.path()).unwrap()[..] else { panic!() };
        assert_eq!(labels.photos.iter().map(|photo| photo.person).collect::<Vec<_>>(), [Some(0), Some(0), Some(1)]);

        let boxes = r#"{"a.jpg": [{"x": 1, "y": 2, "w": 3, "h": 4, "ignore": true}]}"#;
        let parts = folder_with(&[
            ("p/pairs.csv", "x,y,d\n"),
            ("p/a.jpg", ""),
            ("q/boxes.json", boxes),
            ("q/a.jpg", ""),
            ("q/b.jpg", ""),
        ]);
        let parts = Labels::find(parts.path()).unwrap();
        assert_eq!(parts.iter().map(|part| part.boxed).collect::<Vec<_>>(), [false, true]);
        assert!(parts[1].photos[0].boxes[0].ignore && parts[1].photos[1].boxes.is_empty());
    }

    #[test]
    fn wrong_labels_say_what_is_wrong() {
        let message = |files: &[(&str, &str)]| Labels::find(folder_with(files).path()).err().unwrap().to_string();
        assert!(message(&[("pairs.csv", "h\na.jpg,b.jpg,Perhaps\n"), ("a.jpg", ""), ("b.jpg", "")]).contains("line 2"));
        assert!(message(&[("pairs.csv", "h\na.jpg,b.jpg,Yes\n"), ("a.jpg", "")]).contains("b.jpg is no photo"));
        assert!(message(&[("boxes.json", "[]")]).contains("boxes"));
        assert!(message(&[("one/a.jpg", "")]).contains("has no labels"));
    }
}
