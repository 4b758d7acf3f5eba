//! What a video says of itself.

use std::collections::HashMap;

use serde::Deserialize;

use super::tool::Tool;
use super::{Input, Tools, VideoError, VideoFormat, limits};
use crate::sandbox::limits::{MAX_CAMERA_CHARS, OFFSET_MIN, WALL_MS};
use crate::sandbox::{CaptureTime, Place};

/// What a video is and says.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoFacts {
    /// Length in milliseconds, as the file says; 0 if it does not.
    pub duration_ms: u64,
    /// Width in pixels, upright.
    pub width: u32,
    /// Height in pixels, upright.
    pub height: u32,
    /// When it was taken, if it says so.
    pub taken_at: Option<CaptureTime>,
    /// Maker and model of the camera, printable and short.
    pub camera: Option<String>,
    /// Whether it holds a geographic position.
    pub has_location: bool,
    /// The position, if it can be understood.
    pub place: Option<Place>,
    /// The tool's name of the pictures' coding.
    pub codec: String,
    /// Whether the sound, if any, is AAC.
    pub has_aac: bool,
    /// How a browser gets to play it.
    pub playing: Playing,
}

/// How a browser gets to play a video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Playing {
    /// As it is.
    Original,
    /// The same pictures and sound in another container.
    Repack,
    /// Pictures made anew; sound too.
    Convert,
}

/// What the tool prints.
#[derive(Deserialize)]
struct Printed {
    #[serde(default)]
    streams: Vec<PrintedStream>,
    #[serde(default)]
    format: PrintedFormat,
}

#[derive(Default, Deserialize)]
struct PrintedFormat {
    duration: Option<String>,
    #[serde(default)]
    tags: HashMap<String, String>,
}

#[derive(Default, Deserialize)]
struct PrintedStream {
    #[serde(default)]
    codec_type: String,
    #[serde(default)]
    codec_name: String,
    #[serde(default)]
    pix_fmt: String,
    #[serde(default)]
    width: u32,
    #[serde(default)]
    height: u32,
    #[serde(default)]
    sample_aspect_ratio: String,
    duration: Option<String>,
    #[serde(default)]
    disposition: HashMap<String, i32>,
    #[serde(default)]
    tags: HashMap<String, String>,
    #[serde(default)]
    side_data_list: Vec<PrintedSideData>,
}

#[derive(Default, Deserialize)]
struct PrintedSideData {
    rotation: Option<f64>,
}

impl Tools {
    /// Asks what a video is.
    ///
    /// # Errors
    /// `Refused` with the reason if it cannot be read or holds no moving picture; see [`VideoError`] for the rest.
    pub async fn probe(&self, input: &Input) -> Result<VideoFacts, VideoError> {
        let arguments = [
            "-hide_banner",
            "-loglevel",
            "error",
            "-protocol_whitelist",
            "pipe",
            "-f",
            input.format().demuxer(),
            "-print_format",
            "json",
            "-show_format",
            "-show_streams",
            "pipe:0",
        ];
        let run = self.start(Tool::Ffprobe, &arguments, input)?;
        let printed = run.output(limits::MAX_FACTS_BYTES, limits::LOOK_TIMEOUT).await?;
        facts(&printed, input.format())
    }
}

impl Tools {
    /// Measures the length of a video that does not state it, in milliseconds, by reading it through without decoding.
    ///
    /// # Errors
    /// As for [`Tools::probe`].
    pub async fn length(&self, input: &Input) -> Result<u64, VideoError> {
        let demuxer = input.format().demuxer();
        let arguments = [
            ["-hide_banner", "-nostdin", "-loglevel", "error", "-protocol_whitelist", "pipe"],
            ["-f", demuxer, "-i", "pipe:0", "-map", "0:V:0"],
            ["-c", "copy", "-f", "null", "-progress", "pipe:1"],
        ];
        let run = self.start(Tool::Ffmpeg, &[arguments.as_flattened(), &["-"]].concat(), input)?;
        Ok(last_time(&run.output(limits::MAX_FACTS_BYTES, limits::LOOK_TIMEOUT).await?))
    }
}

/// The latest time of the tool's reports while it reads a video through, in milliseconds.
fn last_time(printed: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(printed);
    let times = text.lines().filter_map(|line| line.strip_prefix("out_time_us=")?.trim().parse::<u64>().ok());
    times.max().unwrap_or(0) / 1000
}

/// Reads what the tool printed, of which a hostile file may have shaped every word (promise D8).
fn facts(printed: &[u8], format: VideoFormat) -> Result<VideoFacts, VideoError> {
    let unreadable = |_| VideoError::Refused("what it says of itself cannot be understood".into());
    let printed: Printed = serde_json::from_slice(printed).map_err(unreadable)?;
    let is_film = |stream: &&PrintedStream| {
        stream.codec_type == "video" && stream.disposition.get("attached_pic").copied().unwrap_or(0) == 0
    };
    let video = printed.streams.iter().find(is_film);
    let video = video.ok_or_else(|| VideoError::Refused("there is no moving picture in it".into()))?;
    let audio = printed.streams.iter().find(|stream| stream.codec_type == "audio");
    let sides = 1..=limits::MAX_SIDE_PX;
    if !sides.contains(&video.width) || !sides.contains(&video.height) {
        return Err(VideoError::Refused(format!(
            "its pictures have {} x {} pixels; sides of 1 to {} can be read",
            video.width,
            video.height,
            limits::MAX_SIDE_PX
        )));
    }
    let seconds = |text: &Option<String>| text.as_ref()?.parse::<f64>().ok().filter(|s| s.is_finite() && *s > 0.0);
    let duration = seconds(&printed.format.duration).or_else(|| seconds(&video.duration)).unwrap_or(0.0);
    let tags = Tags([&printed.format.tags, &video.tags]);
    let (width, height) = upright(video);
    Ok(VideoFacts {
        // Saturates; no film has 2^63 milliseconds.
        duration_ms: (duration * 1000.0) as u64,
        width,
        height,
        taken_at: tags.taken_at(),
        camera: tags.camera(),
        has_location: tags.has_location(),
        place: tags.place(),
        codec: crate::sandbox::tame(&video.codec_name),
        has_aac: audio.is_none_or(|audio| audio.codec_name == "aac"),
        playing: playing(format, video, audio),
    })
}

/// Width and height as shown: square pixels, turned.
fn upright(video: &PrintedStream) -> (u32, u32) {
    let ratio = video.sample_aspect_ratio.split_once(':').and_then(|(w, h)| {
        let ratio = w.parse::<f64>().ok()? / h.parse::<f64>().ok()?;
        (0.1..=10.0).contains(&ratio).then_some(ratio)
    });
    // At most ten times a bounded side.
    let width = ((f64::from(video.width) * ratio.unwrap_or(1.0)).round() as u32).max(1);
    let turned = video.side_data_list.iter().find_map(|data| data.rotation).unwrap_or(0.0);
    let quarter = (turned / 90.0).round() as i64;
    if quarter % 2 == 0 { (width, video.height) } else { (video.height, width) }
}

/// What all browsers in use play: H.264 of 8 bits with AAC or MP3 in MP4, VP8 and VP9 with Vorbis and Opus in WebM, up to 1080p.
fn playing(format: VideoFormat, video: &PrintedStream, audio: Option<&PrintedStream>) -> Playing {
    let is_plain = matches!(video.pix_fmt.as_str(), "yuv420p" | "yuvj420p");
    let is_small = video.width.max(video.height) <= limits::COPY_PX;
    let h264 = is_plain && is_small && video.codec_name == "h264";
    let vp = is_plain && is_small && matches!(video.codec_name.as_str(), "vp8" | "vp9");
    let audio = audio.map(|audio| audio.codec_name.as_str());
    match format {
        VideoFormat::Mp4 if h264 && matches!(audio, None | Some("aac" | "mp3")) => Playing::Original,
        VideoFormat::WebM if vp && matches!(audio, None | Some("vorbis" | "opus")) => Playing::Original,
        // Frames in AVI files have no times of their own, without which they cannot be put elsewhere.
        _ if h264 && format != VideoFormat::Avi => Playing::Repack,
        _ => Playing::Convert,
    }
}

/// Tags of the file, then of the film in it.
struct Tags<'a>([&'a HashMap<String, String>; 2]);

impl Tags<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let is_it = |(tag, _): &(&String, &String)| tag.eq_ignore_ascii_case(name);
        self.0.iter().find_map(|tags| tags.iter().find(is_it)).map(|(_, value)| value.as_str())
    }

    /// Apple's own tag first: it alone has the offset of the place; the common one is UTC, or local time taken as such by old cameras.
    fn taken_at(&self) -> Option<CaptureTime> {
        let own = self.get("com.apple.quicktime.creationdate").and_then(with_offset);
        own.or_else(|| {
            let instant: jiff::Timestamp = self.get("creation_time")?.parse().ok()?;
            let ms = instant.as_millisecond();
            // The zero of the two clocks in use: unset.
            (ms > 0).then_some(CaptureTime { wall_ms: ms, offset_min: None })
        })
        .filter(|time| WALL_MS.contains(&time.wall_ms) && time.offset_min.is_none_or(|min| OFFSET_MIN.contains(&min)))
    }

    fn camera(&self) -> Option<String> {
        let first = |names: [&str; 3]| names.into_iter().find_map(|name| self.get(name));
        let make = first(["com.apple.quicktime.make", "make", "com.android.manufacturer"]).unwrap_or_default();
        let model = first(["com.apple.quicktime.model", "model", "com.android.model"]).unwrap_or_default();
        let name = if model.starts_with(make) { model.to_owned() } else { format!("{make} {model}") };
        let is_printable = |c: &char| c.is_alphanumeric() || c.is_ascii_graphic() || *c == ' ';
        let name: String = name.chars().filter(is_printable).take(MAX_CAMERA_CHARS).collect();
        let name = name.trim();
        (!name.is_empty()).then(|| name.to_owned())
    }

    fn place(&self) -> Option<Place> {
        ["com.apple.quicktime.location.iso6709", "location"].into_iter().find_map(|name| place(self.get(name)?))
    }

    fn has_location(&self) -> bool {
        let is_place = |tag: &String| {
            let tag = tag.to_ascii_lowercase();
            tag.contains("location") || tag.contains("gps") || tag == "\u{a9}xyz"
        };
        self.0.iter().any(|tags| tags.keys().any(is_place))
    }
}

/// Degrees of ISO 6709, such as `+48.1371+011.5761+519.000/`.
fn place(text: &str) -> Option<Place> {
    let second = text.get(1..)?.find(['+', '-'])? + 1;
    let (north, rest) = text.split_at_checked(second)?;
    let end = rest.get(1..)?.find(['+', '-', '/']).map_or(rest.len(), |at| at + 1);
    Place::of(north.parse().ok()?, rest.get(..end)?.parse().ok()?)
}

/// Such as `2024-07-01T14:34:56+0200`.
fn with_offset(text: &str) -> Option<CaptureTime> {
    let instant = jiff::fmt::strtime::parse("%Y-%m-%dT%H:%M:%S%z", text).ok()?;
    let offset_min = i16::try_from(instant.offset()?.seconds() / 60).ok()?;
    let utc_ms = instant.to_timestamp().ok()?.as_millisecond();
    Some(CaptureTime { wall_ms: utc_ms + i64::from(offset_min) * 60_000, offset_min: Some(offset_min) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_degrees_on_the_globe() {
        assert_eq!(place("+48.1371+011.5761/"), Place::of(48.1371, 11.5761));
        assert_eq!(place("-33.8572-070.5000+519.000/"), Place::of(-33.8572, -70.5));
        for wrong in ["", "+", "+48.1371", "+91+000/", "+48.1+nan/", "48.1, 11.5", "+48+181"] {
            assert_eq!(place(wrong), None, "{wrong}");
        }
    }

    fn said(streams: &str, tags: &str) -> Result<VideoFacts, VideoError> {
        let text = format!(r#"{{"streams":[{streams}],"format":{{"duration":"6.500000","tags":{{{tags}}}}}}}"#);
        facts(text.as_bytes(), VideoFormat::Mp4)
    }

    const H264: &str = r#"{"codec_type":"video","codec_name":"h264","pix_fmt":"yuv420p","width":1280,"height":720}"#;

    #[test]
    fn times_places_and_cameras_are_read() {
        let apple = said(
            H264,
            r#""creation_time":"2024-07-01T12:34:56.000000Z","com.apple.quicktime.creationdate":"2024-07-01T14:34:56+0200",
               "com.apple.quicktime.location.ISO6709":"+52.5+013.4/","com.apple.quicktime.make":"Apple","com.apple.quicktime.model":"iPhone 15""#,
        )
        .unwrap();
        let time = apple.taken_at.unwrap();
        assert_eq!((time.unix_ms(0), time.offset_min), (1_719_837_296_000, Some(120)));
        assert_eq!((apple.camera.as_deref(), apple.has_location), (Some("Apple iPhone 15"), true));
        assert_eq!((apple.duration_ms, apple.width, apple.height), (6500, 1280, 720));
        let plain = said(H264, r#""creation_time":"2024-07-01T12:34:56.000000Z""#).unwrap();
        assert_eq!(
            (plain.taken_at.unwrap().unix_ms(0), plain.has_location, plain.camera),
            (1_719_837_296_000, false, None)
        );
        assert_eq!(said(H264, r#""creation_time":"1970-01-01T00:00:00.000000Z""#).unwrap().taken_at, None);
        assert_eq!(said(H264, r#""creation_time":"yesterday""#).unwrap().taken_at, None);
    }

    #[test]
    fn turned_and_stretched_films_are_shown_upright() {
        let of = |more: &str| {
            let stream = format!(r#"{{"codec_type":"video","codec_name":"h264","width":1440,"height":1080{more}}}"#);
            let facts = said(&stream, "").unwrap();
            (facts.width, facts.height)
        };
        assert_eq!(of(""), (1440, 1080));
        assert_eq!(of(r#","sample_aspect_ratio":"4:3""#), (1920, 1080));
        assert_eq!(of(r#","side_data_list":[{"rotation":-90}]"#), (1080, 1440));
        assert_eq!(of(r#","side_data_list":[{"rotation":180}]"#), (1440, 1080));
        assert_eq!(of(r#","sample_aspect_ratio":"0:1""#), (1440, 1080));
    }

    #[test]
    fn only_what_all_browsers_play_goes_to_them_as_it_is() {
        let of = |format, video: &str, px: u32, pix_fmt: &str, audio: Option<&str>| {
            let video =
                PrintedStream { codec_name: video.into(), width: px, pix_fmt: pix_fmt.into(), ..Default::default() };
            let audio = audio.map(|name| PrintedStream { codec_name: name.into(), ..Default::default() });
            playing(format, &video, audio.as_ref())
        };
        use VideoFormat::{Avi, Matroska, Mov, Mp4, WebM};
        assert_eq!(of(Mp4, "h264", 1920, "yuv420p", Some("aac")), Playing::Original);
        assert_eq!(of(Mp4, "h264", 1920, "yuv420p", None), Playing::Original);
        assert_eq!(of(Mp4, "h264", 3840, "yuv420p", Some("aac")), Playing::Convert);
        assert_eq!(of(Mp4, "h264", 1920, "yuv420p10le", Some("aac")), Playing::Convert);
        assert_eq!(of(Mp4, "hevc", 1920, "yuv420p", Some("aac")), Playing::Convert);
        assert_eq!(of(Mp4, "h264", 1920, "yuv420p", Some("ac3")), Playing::Repack);
        assert_eq!(of(Mov, "h264", 1920, "yuvj420p", Some("pcm_s16le")), Playing::Repack);
        assert_eq!(of(Mov, "prores", 1920, "yuv422p10le", None), Playing::Convert);
        assert_eq!(of(Matroska, "h264", 1280, "yuv420p", Some("aac")), Playing::Repack);
        assert_eq!(of(Avi, "mpeg4", 640, "yuv420p", Some("mp3")), Playing::Convert);
        assert_eq!(of(WebM, "vp9", 1280, "yuv420p", Some("opus")), Playing::Original);
    }

    #[test]
    fn d8_films_without_pictures_or_with_absurd_ones_are_refused() {
        let cover =
            r#"{"codec_type":"video","codec_name":"mjpeg","width":9,"height":9,"disposition":{"attached_pic":1}}"#;
        for streams in ["", r#"{"codec_type":"audio","codec_name":"aac"}"#, cover] {
            assert!(matches!(said(streams, ""), Err(VideoError::Refused(_))), "{streams}");
        }
        for (w, h) in [(0, 9), (9, limits::MAX_SIDE_PX + 1)] {
            let stream = format!(r#"{{"codec_type":"video","width":{w},"height":{h}}}"#);
            assert!(matches!(said(&stream, ""), Err(VideoError::Refused(_))));
        }
        assert!(matches!(facts(b"{", VideoFormat::Mp4), Err(VideoError::Refused(_))));
        let rude = said(H264, "\"make\":\"\u{202e}evil\u{7}\",\"model\":\"x\"")
            .unwrap_or_else(|_| said(H264, "\"model\":\"x\"").unwrap());
        assert!(rude.camera.unwrap().chars().all(|c| c.is_alphanumeric() || c == ' '));
    }
}
