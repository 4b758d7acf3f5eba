//! Faces of the photos that come with the face model.

use image::ImageFormat;
use inframe::sandbox::{Refusal, SandboxError, limits};

use crate::files::{encode, picture, sample, selfie};
use crate::sandbox;

#[tokio::test]
async fn the_samples_have_22_faces_inside_their_photos() {
    let (sandbox, mut total) = (sandbox(), 0);
    for number in 1..=6 {
        let found = sandbox.faces(sample(number).into()).await.unwrap();
        for face in &found.faces {
            assert!(face.rect.x + face.rect.w / 2.0 < found.width as f32, "{:?}", face.rect);
            assert!(face.rect.y + face.rect.h / 2.0 < found.height as f32, "{:?}", face.rect);
        }
        total += found.faces.len();
    }
    assert_eq!(total, 22);
}

#[tokio::test]
async fn a_selfie_enrols_with_a_small_still_and_is_the_person_of_the_photo() {
    let sandbox = sandbox();
    let enrolled = sandbox.enrol(encode(&selfie(), ImageFormat::Jpeg).into()).await.unwrap();
    assert!(enrolled.still.len() <= limits::MAX_STILL_BYTES, "{}", enrolled.still.len());
    let still = image::load_from_memory(&enrolled.still).unwrap();
    assert_eq!(still.width(), still.height());
    assert!((112..=128).contains(&still.width()));
    let found = sandbox.faces(sample(1).into()).await.unwrap();
    let mut by_likeness = found.faces;
    by_likeness.sort_by(|a, b| {
        a.embedding.distance(&enrolled.face.embedding).total_cmp(&b.embedding.distance(&enrolled.face.embedding))
    });
    // The crop begins at (1330, 90) of the photo; only one of its people stands there.
    let (nearest, here) = (&by_likeness[0].rect, &enrolled.face.rect);
    let apart = (nearest.x + nearest.w / 2.0) - (here.x + here.w / 2.0 + 1330.0);
    assert!(apart.abs() < nearest.w / 4.0, "{nearest:?}, {here:?}");
    assert!(by_likeness[0].embedding.distance(&enrolled.face.embedding) < 0.4);
    assert!(by_likeness[1].embedding.distance(&enrolled.face.embedding) > 0.6);
}

#[tokio::test]
async fn a_group_and_a_photo_of_nobody_do_not_enrol() {
    let sandbox = sandbox();
    let group = sandbox.enrol(sample(1).into()).await.unwrap_err();
    assert!(matches!(group, SandboxError::Refused(Refusal::SeveralFaces { faces: 3.. })), "{group:?}");
    let nobody = sandbox.enrol(encode(&picture(), ImageFormat::Jpeg).into()).await.unwrap_err();
    assert_eq!(nobody, SandboxError::Refused(Refusal::NoFace));
    assert!(sandbox.faces(encode(&picture(), ImageFormat::Jpeg).into()).await.unwrap().faces.is_empty());
}

#[tokio::test]
async fn a_tiny_face_is_told_how_large_it_must_be() {
    let small = image::imageops::thumbnail(&selfie(), 135, 140);
    let refused = sandbox().enrol(encode(&small, ImageFormat::Png).into()).await.unwrap_err();
    assert!(matches!(refused, SandboxError::Refused(Refusal::FaceTooSmall { needed_px: 70, .. })), "{refused:?}");
}
