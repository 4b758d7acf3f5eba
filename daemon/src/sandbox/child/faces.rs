//! Faces of a photo, and the one face of a selfie.

use std::ffi::OsString;
use std::path::Path;

use image::RgbImage;
use inframe_models::{Effort, Engine, Face, Rect, photo};

use super::decode::{Checked, encode};
use super::{Outcome, still};
use crate::sandbox::limits;
use crate::sandbox::message::{Answer, FoundFaces};
use crate::sandbox::model::ModelFiles;
use crate::sandbox::refusal::{Refusal, tame};

/// The face engine, loaded at the first job that needs it.
#[derive(Default)]
pub(super) struct LazyEngine {
    files: ModelFiles,
    /// Why the files could not be opened, if so.
    absent: Option<String>,
    engine: Option<Engine>,
}

/// Why the engine gave no faces: the file's fault, or its own.
enum Trouble {
    File(Refusal),
    Engine(String),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::File(refusal)
    }
}

impl LazyEngine {
    /// An engine for the pack in a folder; to be called before the child is confined.
    pub(super) fn of_pack(folder: OsString, id: OsString) -> Self {
        match ModelFiles::open(Path::new(&folder), id.to_string_lossy().into_owned()) {
            Ok(files) => Self { files, ..Self::default() },
            Err(error) => Self { absent: Some(format!("its files cannot be opened ({error})")), ..Self::default() },
        }
    }

    /// Loads the model and has it look at something.
    pub(super) fn try_out(&mut self) -> Result<Outcome, Refusal> {
        let tried =
            self.engine().and_then(|engine| engine.try_out().map_err(|error| Trouble::Engine(error.to_string())));
        settle(tried.map(|()| (Answer::ModelRuns, Vec::new())))
    }

    pub(super) fn faces(&mut self, file: &[u8]) -> Result<Outcome, Refusal> {
        settle(self.look(file, Effort::Normal).map(|looked| {
            let Looked { width, height, .. } = looked;
            let faces = looked.faces.iter().map(|face| looked.in_full_size(face)).collect();
            (Answer::Faces(FoundFaces { pack: String::new(), width, height, faces }), Vec::new())
        }))
    }

    pub(super) fn enrol(&mut self, file: &[u8]) -> Result<Outcome, Refusal> {
        settle(self.look(file, Effort::Thorough).and_then(|looked| {
            let face = subject(&looked.faces)?;
            lit(&looked.image, face)?;
            usable(face, self.engine.as_ref().map_or(0.0, |engine| engine.thresholds().min_enrol_quality))?;
            Ok(looked.enrolled(face)?)
        }))
    }

    pub(super) fn frame(&mut self, file: &[u8]) -> Result<Outcome, Refusal> {
        settle(self.look(file, Effort::Normal).and_then(|looked| {
            let face = match looked.faces.as_slice() {
                [] => return Err(unseen(&looked.image).into()),
                [face] => face,
                several => return Err(Refusal::SeveralFaces { faces: several.len() }.into()),
            };
            lit(&looked.image, face)?;
            large_and_sharp(face)?;
            Ok(looked.enrolled(face)?)
        }))
    }

    fn look(&mut self, file: &[u8], effort: Effort) -> Result<Looked, Trouble> {
        let checked = Checked::open(file)?;
        let (width, height) = checked.size();
        let image = checked.upright(limits::FACES_PX)?.image;
        let faces =
            self.engine()?.find_faces_with(&image, effort).map_err(|error| Trouble::Engine(error.to_string()))?;
        Ok(Looked { width, height, image, faces })
    }

    fn engine(&mut self) -> Result<&Engine, Trouble> {
        if let Some(why) = &self.absent {
            return Err(Trouble::Engine(why.clone()));
        }
        if self.engine.is_none() {
            self.engine = Some(self.files.load().map_err(Trouble::Engine)?);
        }
        self.engine.as_ref().ok_or_else(|| Trouble::Engine("the face model is not loaded".to_string()))
    }
}

fn settle(outcome: Result<Outcome, Trouble>) -> Result<Outcome, Refusal> {
    match outcome {
        Ok(outcome) => Ok(outcome),
        Err(Trouble::File(refusal)) => Err(refusal),
        Err(Trouble::Engine(why)) => Ok((Answer::NoModel(tame(&why)), Vec::new())),
    }
}

/// A photo at working size with its faces.
struct Looked {
    /// Width of the whole upright photo.
    width: u32,
    /// Height of the whole upright photo.
    height: u32,
    image: RgbImage,
    faces: Vec<Face>,
}

impl Looked {
    /// The face as the one that somebody enrols with.
    fn enrolled(&self, face: &Face) -> Result<Outcome, Refusal> {
        let still = still::encode(&self.image, face.rect)?;
        let source = self.source(face.rect)?;
        let still_bytes = u32::try_from(still.len()).unwrap_or(u32::MAX);
        Ok((Answer::Enrolled { face: Box::new(self.in_full_size(face)), still_bytes }, vec![still, source]))
    }

    /// The face with its surroundings, as a JPEG.
    fn source(&self, rect: Rect) -> Result<Vec<u8>, Refusal> {
        let (across, down) = (rect.w * limits::SOURCE_MARGIN, rect.h * limits::SOURCE_MARGIN);
        let wide = Rect::from_corners(rect.x - across, rect.y - down, rect.right() + across, rect.bottom() + down);
        let wide = wide.within(self.image.width(), self.image.height());
        let (x, y) = (wide.x.floor() as u32, wide.y.floor() as u32);
        let part = image::imageops::crop_imm(&self.image, x, y, wide.w.ceil() as u32, wide.h.ceil() as u32).to_image();
        encode(&photo::flatten(photo::shrink(part.into(), limits::SOURCE_PX)), None)
    }

    /// The face in pixels of the whole photo; its quality stays that of the pixels that were looked at.
    fn in_full_size(&self, face: &Face) -> Face {
        let scale_x = self.width as f32 / self.image.width() as f32;
        let scale_y = self.height as f32 / self.image.height() as f32;
        let mut face = face.clone();
        face.rect.x *= scale_x;
        face.rect.w *= scale_x;
        face.rect.y *= scale_y;
        face.rect.h *= scale_y;
        for [x, y] in &mut face.landmarks {
            *x *= scale_x;
            *y *= scale_y;
        }
        face
    }
}

/// The face that is clearly meant: the only one, or much wider than every other.
fn subject(faces: &[Face]) -> Result<&Face, Refusal> {
    let mut by_width: Vec<&Face> = faces.iter().collect();
    by_width.sort_by(|a, b| b.rect.w.total_cmp(&a.rect.w));
    match by_width.as_slice() {
        [] => Err(Refusal::NoFace),
        [first, second, ..] if second.rect.w * limits::DOMINANT_WIDTH_RATIO > first.rect.w => {
            Err(Refusal::SeveralFaces { faces: faces.len() })
        }
        [first, ..] => Ok(first),
    }
}

/// Why no face is seen in a picture of the camera: faces are not found in the dark.
fn unseen(image: &RgbImage) -> Refusal {
    let whole = Rect { x: 0.0, y: 0.0, w: image.width() as f32, h: image.height() as f32 };
    match brightness(image, whole) {
        Some(brightness) if brightness < *limits::ENROL_BRIGHTNESS.start() => Refusal::FaceTooDark,
        _ => Refusal::NoFace,
    }
}

/// Mean brightness (0 to 255) of a part of the picture; nothing of a part outside it.
fn brightness(image: &RgbImage, part: Rect) -> Option<f32> {
    let part = part.within(image.width(), image.height());
    let (left, top) = (part.x as u32, part.y as u32);
    let (mut sum, mut count) = (0.0, 0.0);
    for row in top..(part.bottom() as u32).min(image.height()) {
        for column in left..(part.right() as u32).min(image.width()) {
            let [red, green, blue] = image.get_pixel(column, row).0.map(f64::from);
            sum += 0.299 * red + 0.587 * green + 0.114 * blue;
            count += 1.0;
        }
    }
    (count > 0.0).then_some((sum / count) as f32)
}

/// Whether there is light on the middle of the face, but not too much.
fn lit(image: &RgbImage, face: &Face) -> Result<(), Refusal> {
    let Rect { x, y, w, h } = face.rect;
    let middle = Rect { x: x + w * 0.25, y: y + h * 0.25, w: w * 0.5, h: h * 0.5 };
    let brightness = brightness(image, middle).unwrap_or(128.0);
    if brightness < *limits::ENROL_BRIGHTNESS.start() {
        Err(Refusal::FaceTooDark)
    } else if brightness > *limits::ENROL_BRIGHTNESS.end() {
        Err(Refusal::FaceTooBright)
    } else {
        Ok(())
    }
}

/// Advice on the first thing that makes a face unfit for enrolment, but for how it is turned.
fn large_and_sharp(face: &Face) -> Result<(), Refusal> {
    let quality = &face.quality;
    if quality.width_px < limits::ENROL_MIN_FACE_PX {
        return Err(Refusal::FaceTooSmall {
            width_px: quality.width_px.max(0.0).round() as u32,
            needed_px: limits::ENROL_MIN_FACE_PX as u32,
        });
    }
    if quality.sharpness < limits::ENROL_MIN_SHARPNESS {
        return Err(Refusal::FaceBlurred);
    }
    Ok(())
}

/// Advice on the first thing that makes a face unfit for enrolment.
fn usable(face: &Face, min_quality: f32) -> Result<(), Refusal> {
    large_and_sharp(face)?;
    let quality = &face.quality;
    if quality.frontality < limits::ENROL_MIN_FRONTALITY {
        return Err(Refusal::FaceTurned);
    }
    if quality.score < min_quality {
        return Err(Refusal::FaceUnclear);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use inframe_models::{Embedding, Quality};

    fn face(width_px: f32) -> Face {
        Face {
            rect: Rect { x: 0.0, y: 0.0, w: width_px, h: width_px },
            score: 0.9,
            landmarks: vec![[1.0, 2.0]],
            quality: Quality { width_px, sharpness: 200.0, frontality: 0.9, score: 0.9 },
            embedding: Embedding(vec![0.0; 128]),
        }
    }

    #[test]
    fn only_a_clearly_dominant_face_is_the_subject() {
        assert_eq!(subject(&[]).unwrap_err(), Refusal::NoFace);
        assert_eq!(subject(&[face(100.0)]).unwrap().rect.w, 100.0);
        assert_eq!(subject(&[face(80.0), face(200.0), face(70.0)]).unwrap().rect.w, 200.0);
        assert_eq!(subject(&[face(150.0), face(200.0)]).unwrap_err(), Refusal::SeveralFaces { faces: 2 });
    }

    #[test]
    fn every_defect_has_its_advice() {
        assert_eq!(usable(&face(200.0), 0.5), Ok(()));
        assert_eq!(usable(&face(30.4), 0.5), Err(Refusal::FaceTooSmall { width_px: 30, needed_px: 70 }));
        let with = |change: fn(&mut Quality)| {
            let mut face = face(200.0);
            change(&mut face.quality);
            usable(&face, 0.5).unwrap_err()
        };
        assert_eq!(with(|quality| quality.sharpness = 1.0), Refusal::FaceBlurred);
        assert_eq!(with(|quality| quality.frontality = 0.0), Refusal::FaceTurned);
        assert_eq!(with(|quality| quality.score = 0.1), Refusal::FaceUnclear);
    }

    #[test]
    fn a_face_needs_light_but_not_too_much() {
        let of = |brightness: u8| lit(&RgbImage::from_pixel(300, 300, image::Rgb([brightness; 3])), &face(200.0));
        assert_eq!((of(5), of(128), of(250)), (Err(Refusal::FaceTooDark), Ok(()), Err(Refusal::FaceTooBright)));
        let outside = Face { rect: Rect { x: 900.0, y: 900.0, w: 10.0, h: 10.0 }, ..face(10.0) };
        assert_eq!(lit(&RgbImage::new(300, 300), &outside), Ok(()));
    }

    #[test]
    fn a_dark_picture_asks_for_light_and_not_for_a_face() {
        let of = |brightness: u8| unseen(&RgbImage::from_pixel(300, 200, image::Rgb([brightness; 3])));
        assert_eq!((of(5), of(128)), (Refusal::FaceTooDark, Refusal::NoFace));
        assert_eq!(unseen(&RgbImage::new(0, 0)), Refusal::NoFace);
    }

    #[test]
    fn boxes_are_given_in_pixels_of_the_whole_photo() {
        let looked = Looked { width: 4000, height: 2000, image: RgbImage::new(2000, 1000), faces: vec![] };
        let full = looked.in_full_size(&face(50.0));
        assert_eq!((full.rect.w, full.landmarks[0], full.quality.width_px), (100.0, [2.0, 4.0], 50.0));
    }
}
