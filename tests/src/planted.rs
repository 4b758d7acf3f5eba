//! Files with every kind of hidden data, made with the tools that people use (`exiftool`, `ffmpeg`, `heif-enc`), and what such tools read in a file.
//!
//! Every planted text is a mark of its own, so that a test can say which one turned up.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail, ensure};
use image::{ImageFormat, RgbImage};
use serde_json::{Map, Value};

use crate::films::{self, Film};
use crate::jpeg::with_segment;
use crate::photos::{self, Exif, Variation};
use crate::scan::contains;

/// Degrees north and east that all files name.
pub const PLACE: (f64, f64) = (48.137_154, 11.576_124);
/// When all files say that they were taken, in the words of EXIF.
pub const TAKEN: &str = "2021:06:07 08:09:10";
/// The videos' containers with width and height in pixels. With the same pictures they would all leave as one file.
const FILMS: [(&str, (u32, u32)); 3] = [("mp4", (960, 540)), ("mov", (992, 558)), ("mkv", (1024, 576))];

/// A file with hidden data.
pub struct Planted {
    /// Its format, in a word.
    pub kind: &'static str,
    /// A name that says something.
    pub file_name: String,
    /// The file.
    pub bytes: Vec<u8>,
    /// Every text that is hidden in it or in its name.
    pub marks: Vec<String>,
    /// Bytes of the embedded small picture, which shows somebody else; empty where there is none.
    pub thumbnail: Vec<u8>,
    /// Width and height in pixels, upright. No two files of a corpus have the same.
    pub size: (u32, u32),
    /// What its pixels show, upright; of videos nothing.
    pub picture: Option<RgbImage>,
}

/// Whether the tools are there; as [`films::tools`].
///
/// # Errors
/// When they are missing and `CI` is set.
pub fn tools(test: &str) -> Result<bool> {
    for (tool, package) in [("exiftool", "libimage-exiftool-perl"), ("heif-enc", "libheif-examples")] {
        if Command::new(tool).arg("-ver").output().is_err() {
            if std::env::var_os("CI").is_some() {
                bail!("{tool} is not installed: apt install {package}");
            }
            eprintln!("skipped: {test} needs {tool}");
            return Ok(false);
        }
    }
    films::tools(test)
}

/// Gives each planted text a mark of its own.
struct Marks {
    kind: &'static str,
    given: Vec<String>,
}

impl Marks {
    fn of(kind: &'static str) -> Self {
        Self { kind, given: Vec::new() }
    }

    fn next(&mut self) -> String {
        let mark = format!("Zq{:03}{}Kx", self.given.len(), self.kind);
        self.given.push(mark.clone());
        mark
    }

    /// Arguments for `exiftool` that write a mark into each of these tags.
    fn for_tags(&mut self, tags: &[&str]) -> Vec<String> {
        tags.iter().map(|tag| format!("-{tag}={}", self.next())).collect()
    }
}

const EXIF: &[&str] = &[
    "EXIF:ImageDescription",
    "EXIF:Make",
    "EXIF:Model",
    "EXIF:Software",
    "EXIF:Artist",
    "EXIF:Copyright",
    "EXIF:HostComputer",
    "EXIF:XPTitle",
    "EXIF:XPComment",
    "EXIF:UserComment",
    "EXIF:OwnerName",
    "EXIF:SerialNumber",
    "EXIF:LensModel",
    "EXIF:LensSerialNumber",
    "EXIF:ImageUniqueID",
    "EXIF:GPSProcessingMethod",
    "EXIF:GPSAreaInformation",
];
const IPTC: &[&str] = &["IPTC:Caption-Abstract", "IPTC:By-line", "IPTC:City", "IPTC:Keywords", "IPTC:Headline"];
const XMP: &[&str] = &[
    "XMP-dc:Title",
    "XMP-dc:Creator",
    "XMP-dc:Description",
    "XMP-dc:Subject",
    "XMP-aux:SerialNumber",
    "XMP-aux:OwnerName",
    "XMP-exif:UserComment",
    "XMP-iptcCore:Location",
    "XMP-photoshop:City",
    "XMP-photoshop:History",
    "XMP-xmpMM:DocumentID",
    "XMP-xmpMM:HistoryAction",
    "XMP-xmpMM:HistorySoftwareAgent",
    "XMP-xmpRights:WebStatement",
    "XMP-iptcExt:PersonInImage",
];

/// Place and time, in EXIF and in XMP.
fn where_and_when() -> Vec<String> {
    let (north, east) = PLACE;
    let (exif, xmp) = ("EXIF:GPS", "XMP-exif:GPS");
    let mut said = vec![
        format!("-{exif}LatitudeRef=N"),
        format!("-{exif}LongitudeRef=E"),
        format!("-{exif}Altitude=519"),
        format!("-EXIF:DateTimeOriginal={TAKEN}"),
        "-EXIF:OffsetTimeOriginal=+02:00".to_owned(),
        format!("-EXIF:CreateDate={TAKEN}"),
    ];
    for group in [exif, xmp] {
        said.extend([format!("-{group}Latitude={north}"), format!("-{group}Longitude={east}")]);
    }
    said
}

fn run(command: &mut Command) -> Result<Vec<u8>> {
    let done = command.output().with_context(|| format!("cannot start {command:?}"))?;
    ensure!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(done.stdout)
}

/// Has `exiftool` write these tags into a file.
fn write(path: &Path, tags: &[String]) -> Result<()> {
    run(Command::new("exiftool").args(["-q", "-q", "-m", "-overwrite_original"]).args(tags).arg(path)).map(drop)
}

fn ffmpeg(from: &Path, arguments: &[&str], to: &Path) -> Result<()> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-y", "-i"]).arg(from);
    run(command.args(arguments).arg(to)).map(drop)
}

/// A colour profile of sRGB's colours whose texts are marks.
fn profile(marks: &mut Marks) -> Vec<u8> {
    let xyz = |numbers: [u32; 3]| [b"XYZ \0\0\0\0", &numbers.map(u32::to_be_bytes).concat()[..]].concat();
    let mut text = |kind: &[u8; 4]| [&kind[..], &[0; 4], marks.next().as_bytes(), b"\0"].concat();
    let curve = || b"curv\0\0\0\0\0\0\0\x01\x02\x33\0\0".to_vec();
    let tags: Vec<(&[u8; 4], Vec<u8>)> = vec![
        (b"desc", text(b"text")),
        (b"cprt", text(b"text")),
        (b"dmnd", text(b"text")),
        (b"priv", text(b"data")),
        (b"wtpt", xyz([0xf351, 0x1_0000, 0x1_16cc])),
        (b"rXYZ", xyz([0x6fa2, 0x38f5, 0x390])),
        (b"gXYZ", xyz([0x6299, 0xb785, 0x18da])),
        (b"bXYZ", xyz([0x24a0, 0xf84, 0xb6cf])),
        (b"rTRC", curve()),
        (b"gTRC", curve()),
        (b"bTRC", curve()),
    ];
    let mut out = vec![0; 128];
    out[8] = 2;
    out[12..24].copy_from_slice(b"mntrRGB XYZ ");
    out[36..40].copy_from_slice(b"acsp");
    out[68..80].copy_from_slice(&[0xf6d6, 0x1_0000, 0xd32d].map(u32::to_be_bytes).concat());
    out.extend((tags.len() as u32).to_be_bytes());
    let mut at = out.len() + 12 * tags.len();
    for (tag, body) in &tags {
        out.extend(*tag);
        out.extend([at as u32, body.len() as u32].map(u32::to_be_bytes).concat());
        at += body.len();
    }
    out.extend(tags.into_iter().flat_map(|(_, body)| body));
    let len = (out.len() as u32).to_be_bytes();
    out[..4].copy_from_slice(&len);
    out
}

/// The workshop of one corpus.
struct Workshop<'a> {
    folder: &'a Path,
    /// Somebody else in small, as a JPEG with a comment.
    thumbnail: PathBuf,
    /// A JPEG with a maker's note that others can be given.
    camera: PathBuf,
}

/// Photos of the finder in every format that the tools write, each with all that its format can hide.
///
/// # Errors
/// When a tool fails.
pub fn photos(folder: &Path) -> Result<Vec<Planted>> {
    photos_of(folder, &["jpg", "png", "webp", "gif", "tif", "avif", "heic", "motion"])
}

/// As [`photos()`], of these kinds only.
///
/// # Errors
/// When a tool fails.
pub fn photos_of(folder: &Path, kinds: &[&'static str]) -> Result<Vec<Planted>> {
    let workshop = Workshop::open(folder)?;
    std::thread::scope(|scope| {
        // A width of its own for each, so that what arrives can be told apart.
        let one = |(kind, twelfth): (&&'static str, u32)| {
            let (workshop, kind) = (&workshop, *kind);
            scope.spawn(move || workshop.photo(kind, 12 * twelfth))
        };
        let making: Vec<_> = kinds.iter().zip(80..).map(one).collect();
        let made = making.into_iter().map(|one| one.join().map_err(|_| anyhow!("making a photo broke off"))?);
        made.collect()
    })
}

impl<'a> Workshop<'a> {
    fn open(folder: &'a Path) -> Result<Self> {
        let (thumbnail, camera) = (folder.join("thumbnail.jpg"), folder.join("camera.jpg"));
        let small = photos::varied(5, Variation::Smaller(160))?;
        std::fs::write(&thumbnail, &small)?;
        let exif = Exif { maker_note: Some("a note of the maker: Zq000makerKx".to_owned()), ..Exif::default() };
        std::fs::write(&camera, photos::with_exif(&small, &exif)?)?;
        Ok(Self { folder, thumbnail, camera })
    }

    fn photo(&self, kind: &'static str, width: u32) -> Result<Planted> {
        let mut marks = Marks::of(kind);
        let jpeg = photos::varied(1, Variation::Smaller(width))?;
        let upright = image::load_from_memory(&jpeg)?;
        let path = self.folder.join(format!("{kind}.{}", if kind == "motion" { "jpg" } else { kind }));
        let plain = self.folder.join(format!("plain-{kind}.png"));
        let as_file =
            |format: ImageFormat| Ok::<_, anyhow::Error>(std::fs::write(&path, photos::to_format(&upright, format)?)?);
        let has_orientation = kind == "jpg";
        match kind {
            "jpg" => std::fs::write(&path, photos::to_jpeg(&upright.rotate270())?)?,
            "motion" => std::fs::write(&path, &jpeg)?,
            "png" => as_file(ImageFormat::Png)?,
            "tif" => as_file(ImageFormat::Tiff)?,
            _ => {
                upright.save(&plain)?;
                match kind {
                    "heic" => {
                        run(Command::new("heif-enc").arg(&plain).args(["-q", "90", "-o"]).arg(&path)).map(drop)?
                    }
                    "avif" => {
                        let still = ["-c:v", "libaom-av1", "-still-picture", "1", "-cpu-used", "8", "-crf", "20"];
                        ffmpeg(&plain, &[&still[..], &["-pix_fmt", "yuv420p"]].concat(), &path)?;
                    }
                    _ => ffmpeg(&plain, &["-q:v", "90"], &path)?,
                }
            }
        }
        self.plant(kind, &path, &mut marks, has_orientation)?;
        let mut bytes = std::fs::read(&path)?;
        let has_thumbnail = !matches!(kind, "gif" | "tif");
        if matches!(kind, "jpg" | "motion") {
            marks.given.push("Zq000makerKx".to_owned());
            bytes = with_segment(&bytes, 0xFE, marks.next().as_bytes())?;
            bytes = with_segment(&bytes, 0xE5, marks.next().as_bytes())?;
        }
        if kind == "motion" {
            bytes.extend(self.film_behind(&mut marks)?);
        }
        if !matches!(kind, "avif" | "heic" | "tif") {
            bytes.extend(marks.next().as_bytes());
        }
        let thumbnail = if has_thumbnail { scan(&std::fs::read(&self.thumbnail)?) } else { Vec::new() };
        Ok(Planted {
            kind,
            file_name: format!("{} ☃ 'at home', 48.137 N %2e.{kind}", marks.next()),
            bytes,
            marks: marks.given,
            thumbnail,
            size: (upright.width(), upright.height()),
            picture: Some(upright.to_rgb8()),
        })
    }

    fn plant(&self, kind: &str, path: &Path, marks: &mut Marks, has_orientation: bool) -> Result<()> {
        let mut said = Vec::new();
        if matches!(kind, "jpg" | "motion") {
            said.extend(["-tagsFromFile".to_owned(), self.camera.display().to_string(), "-makernotes".to_owned()]);
        }
        if kind == "gif" {
            let (north, east) = PLACE;
            said.extend([format!("-XMP-exif:GPSLatitude={north}"), format!("-XMP-exif:GPSLongitude={east}")]);
            said.push(format!("-Comment={}", marks.next()));
        } else {
            said.extend(where_and_when());
            said.extend(marks.for_tags(EXIF));
        }
        said.extend(marks.for_tags(XMP));
        if has_orientation {
            said.push("-EXIF:Orientation#=6".to_owned());
        }
        if !matches!(kind, "gif" | "tif") {
            said.push(format!("-EXIF:ThumbnailImage<={}", self.thumbnail.display()));
        }
        if matches!(kind, "jpg" | "tif" | "motion") {
            said.extend(marks.for_tags(IPTC));
        }
        if matches!(kind, "jpg" | "motion" | "png" | "tif" | "webp") {
            let file = self.folder.join(format!("profile-{kind}.icc"));
            std::fs::write(&file, profile(marks))?;
            said.push(format!("-ICC_Profile<={}", file.display()));
        }
        if kind == "motion" {
            said.extend(["-XMP-GCamera:MotionPhoto=1".to_owned(), "-XMP-GCamera:MotionPhotoVersion=1".to_owned()]);
        }
        write(path, &said)?;
        if kind == "png" {
            // Texts packed, plain, and in a language.
            let long = format!("{} {}", marks.next(), "again and again ".repeat(20));
            write(path, &["-z".to_owned(), format!("-PNG:Comment={long}")])?;
            write(path, &marks.for_tags(&["PNG:Author", "PNG:Software", "PNG:Title-de"]))?;
        }
        Ok(())
    }

    /// A short film as phones put it behind a photo.
    fn film_behind(&self, marks: &mut Marks) -> Result<Vec<u8>> {
        let path = self.folder.join("behind.mp4");
        let title = format!("title={}", marks.next());
        let encoding = [films::PHONE, &["-metadata", &title]].concat();
        Film { photos: &[2], seconds: 1, size: (160, 120), encoding: &encoding }.make(&path)?;
        write(&path, &marks.for_tags(&["Keys:Author", "UserData:Title"]))?;
        Ok(std::fs::read(&path)?)
    }
}

/// The beginning of a JPEG's coded pixels: nobody else's look like that.
fn scan(jpeg: &[u8]) -> Vec<u8> {
    let (_, scans) = crate::jpeg::split(jpeg).unwrap_or_default();
    scans.get(14..62).unwrap_or_default().to_vec()
}

/// Videos in which the finder is, each with all that its container can hide.
///
/// # Errors
/// When a tool fails.
pub fn videos(folder: &Path) -> Result<Vec<Planted>> {
    FILMS.into_iter().map(|(kind, size)| video(folder, kind, size)).collect()
}

fn video(folder: &Path, kind: &'static str, size: (u32, u32)) -> Result<Planted> {
    let mut marks = Marks::of(kind);
    let plain = folder.join(format!("plain-{kind}.mp4"));
    Film { photos: &[1], seconds: 1, size, encoding: films::PHONE }.make(&plain)?;
    let path = folder.join(format!("camera.{kind}"));
    let chapters = folder.join(format!("{kind}.txt"));
    let chapter = format!("[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=900\ntitle={}\n", marks.next());
    std::fs::write(&chapters, format!(";FFMETADATA1\n{chapter}"))?;
    let words = folder.join(format!("{kind}.srt"));
    std::fs::write(&words, format!("1\n00:00:00,000 --> 00:00:01,500\n{}\n", marks.next()))?;
    let attached = folder.join(format!("{kind}-note.txt"));
    if kind == "mkv" {
        std::fs::write(&attached, marks.next())?;
    }
    let (north, east) = PLACE;
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-y", "-i"]).arg(&plain).arg("-i").arg(&chapters).arg("-i").arg(&words);
    command.args(["-map", "0", "-map", "2", "-map_metadata", "1", "-c", "copy"]);
    command.args(["-c:s", if kind == "mkv" { "srt" } else { "mov_text" }]);
    for tag in ["title", "artist", "comment", "make", "model", "copyright", "description"] {
        command.arg("-metadata").arg(format!("{tag}={}", marks.next()));
    }
    command.arg("-metadata").arg(format!("location={north:+08.4}{east:+09.4}/"));
    command.args(["-metadata", "creation_time=2021-06-07T08:09:10Z"]);
    for stream in ["v", "a"] {
        command.arg(format!("-metadata:s:{stream}")).arg(format!("handler_name={}", marks.next()));
        command.arg(format!("-metadata:s:{stream}")).arg(format!("title={}", marks.next()));
    }
    // A remark within the coded pictures, as encoders and action cameras leave them.
    let remark = format!("h264_metadata=sei_user_data=086f3693-b7b3-4f2c-9653-21492feee5b8+{}", marks.next());
    command.args(["-bsf:v", &remark]);
    if kind == "mkv" {
        command.arg("-attach").arg(&attached).args(["-metadata:s:t", "mimetype=text/plain"]);
        command.arg("-metadata:s:t").arg(format!("filename={}.txt", marks.next()));
    } else {
        // Only Matroska has attachments and titles of streams.
        command.args(["-movflags", "use_metadata_tags", "-metadata"]).arg(format!("serial={}", marks.next()));
    }
    run(command.arg(&path))?;
    if kind != "mkv" {
        let mut said =
            marks.for_tags(&["XMP-dc:Creator", "XMP-dc:Title", "XMP-xmpMM:HistoryAction", "UserData:Author"]);
        said.extend(marks.for_tags(&["Keys:Information", "Keys:Software", "ItemList:Comment"]));
        said.extend([format!("-XMP-exif:GPSLatitude={north}"), format!("-XMP-exif:GPSLongitude={east}")]);
        let iso = format!("{north}, {east}, 519");
        said.extend([format!("-Keys:GPSCoordinates={iso}"), format!("-UserData:GPSCoordinates={iso}")]);
        said.extend([format!("-QuickTime:CreateDate={TAKEN}"), format!("-QuickTime:MediaCreateDate={TAKEN}")]);
        write(&path, &said)?;
    }
    let mut bytes = std::fs::read(&path)?;
    if kind != "mkv" {
        let mark = marks.next();
        bytes.extend((8 + mark.len() as u32).to_be_bytes());
        bytes.extend([b"free", mark.as_bytes()].concat());
    }
    let file_name = format!("{} Kitchen, 48.137 N.{kind}", marks.next());
    Ok(Planted { kind, file_name, bytes, marks: marks.given, thumbnail: Vec::new(), size, picture: None })
}

/// What the tools read in a file: every tag by group and name, and all of it as one text, packed parts unpacked.
pub struct Reading {
    /// `Group:Tag` and its value.
    pub tags: Map<String, Value>,
    /// The file's bytes, and what the tools unpack of it.
    pub all: Vec<u8>,
}

/// Reads a file with `exiftool` and `ffprobe`.
///
/// # Errors
/// When a tool fails on it.
pub fn read(path: &Path) -> Result<Reading> {
    let exiftool =
        |arguments: &[&str]| run(Command::new("exiftool").args(["-a", "-u", "-ee"]).args(arguments).arg(path));
    let json: Value = serde_json::from_slice(&exiftool(&["-j", "-G1", "-s"])?)?;
    let tags = json[0].as_object().context("exiftool gives no tags")?.clone();
    let mut all = std::fs::read(path)?;
    all.extend(exiftool(&["-b"])?);
    all.extend(serde_json::to_vec(&tags)?);
    let shown = ["-show_format", "-show_streams", "-show_chapters", "-show_programs", "-show_private_data"];
    let probed = Command::new("ffprobe").args(["-v", "quiet"]).args(shown).arg(path).output();
    all.extend(probed.context("cannot start ffprobe")?.stdout);
    Ok(Reading { tags, all })
}

impl Reading {
    /// Those of the marks that are in it in any form.
    #[must_use]
    pub fn marks<'m>(&self, marks: &'m [String]) -> Vec<&'m String> {
        marks.iter().filter(|mark| forms(mark).iter().any(|form| contains(&self.all, form))).collect()
    }
}

/// A text as it may stand in a file: as it is, in UTF-16 of either order, in base64 at any of its three places.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![text.as_bytes().to_vec()];
    forms.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
    forms.push(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    for place in 0..3 {
        // The letters that depend on the bytes before and behind are left away.
        let padded = [&vec![0; place], text.as_bytes()].concat();
        let letters = base64(&padded[..padded.len() / 3 * 3]);
        forms.push(letters[if place == 0 { 0 } else { 4 }..].to_vec());
    }
    forms
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letters = |three: &[u8]| {
        let bits = three.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| LETTERS[bits >> shift & 63])
    };
    bytes.chunks_exact(3).flat_map(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_in_each_of_its_forms() {
        let reading = |all: &[u8]| Reading { tags: Map::new(), all: all.to_vec() };
        let marks = ["Zq000jpgKx".to_owned(), "Zq001jpgKx".to_owned()];
        assert_eq!(reading(b"..Zq001jpgKx..").marks(&marks), [&marks[1]]);
        assert_eq!(reading(b"Z\0q\x000\x000\x000\0j\0p\0g\0K\0x\0").marks(&marks), [&marks[0]]);
        for before in ["", "a", "ab"] {
            let text = format!("{before}Zq001jpgKx and more to come");
            let coded = base64(&text.as_bytes()[..text.len() / 3 * 3]);
            assert_eq!(reading(&coded).marks(&marks), [&marks[1]], "after {before:?}");
        }
        assert!(reading(b"nothing").marks(&marks).is_empty());
    }
}
