//! The files of the built-in pack, embedded when they are there at build time.

/// `pack.toml` of the built-in pack.
pub(super) const MANIFEST: &str = include_str!("../../pack/face-api/pack.toml");

/// A file name and what the file holds.
type EmbeddedFile = (&'static str, &'static [u8]);

#[cfg(builtin_pack)]
pub(super) const FILES: Option<&[EmbeddedFile]> = Some(&[
    ("detector.onnx", include_bytes!("../../pack/face-api/detector.onnx")),
    ("landmarks.onnx", include_bytes!("../../pack/face-api/landmarks.onnx")),
    ("recogniser.onnx", include_bytes!("../../pack/face-api/recogniser.onnx")),
    ("centre.json", include_bytes!("../../pack/face-api/centre.json")),
]);

#[cfg(not(builtin_pack))]
pub(super) const FILES: Option<&[EmbeddedFile]> = None;

/// The BLAKE3 that the built-in `pack.toml` pins for a file, in lowercase hex.
#[must_use]
pub fn pinned_hash(file: &str) -> Option<String> {
    let manifest: toml::Table = toml::from_str(MANIFEST).ok()?;
    let section = manifest.values().find(|section| section.get("file").and_then(toml::Value::as_str) == Some(file))?;
    section.get("blake3")?.as_str().map(str::to_owned)
}
