//! What kind of video a file is, by its first bytes and never by its name.

use serde::{Deserialize, Serialize};

/// The video containers that Inframe takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum VideoFormat {
    /// MP4 and its kin (M4V, 3GP).
    Mp4,
    /// QuickTime.
    Mov,
    /// Matroska.
    Matroska,
    /// WebM.
    WebM,
    /// AVI, OpenDML too.
    Avi,
    /// MPEG transport stream, with or without the time codes of AVCHD cameras.
    MpegTs,
    /// MPEG program stream, as on DVDs.
    MpegPs,
}

/// Length of a transport stream packet, in bytes, and of one with a time code in front.
const TS_PACKET_BYTES: [usize; 2] = [188, 192];
/// Packets that must begin where they should: one byte of 0x47 alone proves nothing.
const TS_PACKETS: usize = 5;
/// Brands of `ftyp` boxes that are pictures, not films.
const STILL_BRANDS: [&[u8; 4]; 9] = [b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif", b"crx ", b"miaf", b"jpeg"];
/// Boxes with which QuickTime files begin that are older than `ftyp`.
const OLD_FIRST_BOXES: [&[u8; 4]; 5] = [b"moov", b"mdat", b"wide", b"skip", b"pnot"];

impl VideoFormat {
    /// Bytes from the beginning of a file that [`VideoFormat::sniff`] looks at.
    pub const SNIFFED_BYTES: usize = 4096;

    /// Recognises a video by its first [`VideoFormat::SNIFFED_BYTES`] bytes.
    #[must_use]
    pub fn sniff(head: &[u8]) -> Option<Self> {
        match head {
            [_, _, _, _, b'f', b't', b'y', b'p', rest @ ..] => of_brand(rest),
            [0x1a, 0x45, 0xdf, 0xa3, rest @ ..] => of_doc_type(rest),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' ', ..] => Some(Self::Avi),
            [0, 0, 1, 0xba, ..] => Some(Self::MpegPs),
            [_, _, _, _, kind @ ..] if OLD_FIRST_BOXES.iter().any(|old| kind.starts_with(*old)) => Some(Self::Mov),
            _ if TS_PACKET_BYTES.into_iter().any(|packet| is_transport_stream(head, packet)) => Some(Self::MpegTs),
            _ => None,
        }
    }

    /// The IANA media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Mp4 => "video/mp4",
            Self::Mov => "video/quicktime",
            Self::Matroska => "video/x-matroska",
            Self::WebM => "video/webm",
            Self::Avi => "video/x-msvideo",
            Self::MpegTs => "video/mp2t",
            Self::MpegPs => "video/mpeg",
        }
    }

    /// The usual file extension, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Mov => "mov",
            Self::Matroska => "mkv",
            Self::WebM => "webm",
            Self::Avi => "avi",
            Self::MpegTs => "mts",
            Self::MpegPs => "mpg",
        }
    }

    /// The kind with this media type.
    #[must_use]
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.media_type() == media_type)
    }

    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Mp4, Self::Mov, Self::Matroska, Self::WebM, Self::Avi, Self::MpegTs, Self::MpegPs];

    /// The tool's name of its reader. Naming it keeps the tool from guessing, and with it from readers of playlists, which open other files.
    #[must_use]
    pub fn demuxer(self) -> &'static str {
        match self {
            Self::Mp4 | Self::Mov => "mov",
            Self::Matroska | Self::WebM => "matroska",
            Self::Avi => "avi",
            Self::MpegTs => "mpegts",
            Self::MpegPs => "mpeg",
        }
    }

    /// Whether its index may lie at the end of the file.
    #[must_use]
    pub(super) fn has_boxes(self) -> bool {
        matches!(self, Self::Mp4 | Self::Mov)
    }
}

/// By the brand after `ftyp`. Unknown brands are films: cameras and editors make up their own.
fn of_brand(rest: &[u8]) -> Option<VideoFormat> {
    let brand = rest.first_chunk::<4>()?;
    match brand {
        b"qt  " => Some(VideoFormat::Mov),
        _ if STILL_BRANDS.contains(&brand) => None,
        // Audio alone.
        b"M4A " | b"M4B " | b"M4P " => None,
        _ => Some(VideoFormat::Mp4),
    }
}

/// By the text of the element `DocType` (0x4282) in the EBML header.
fn of_doc_type(header: &[u8]) -> Option<VideoFormat> {
    let at = header.windows(2).take(256).position(|pair| pair == [0x42, 0x82])?;
    let [length, text @ ..] = header.get(at + 2..)? else { return None };
    // A length of one byte carries the mark 0x80.
    let text = text.get(..usize::from(length & 0x7f))?;
    match text {
        b"webm" => Some(VideoFormat::WebM),
        b"matroska" => Some(VideoFormat::Matroska),
        _ => None,
    }
}

fn is_transport_stream(head: &[u8], packet: usize) -> bool {
    // The time code of four bytes stands before the mark.
    let first = packet - TS_PACKET_BYTES[0];
    (0..TS_PACKETS).all(|n| head.get(first + n * packet) == Some(&0x47))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(packet: usize, count: usize) -> Vec<u8> {
        let mut one = vec![0; packet];
        one[packet - 188] = 0x47;
        one.repeat(count)
    }

    #[test]
    fn videos_are_known_by_their_bytes() {
        let cases: [(&[u8], Option<VideoFormat>); 16] = [
            (b"\0\0\0\x20ftypisom\0\0\x02\0", Some(VideoFormat::Mp4)),
            (b"\0\0\0\x20ftypmp42", Some(VideoFormat::Mp4)),
            (b"\0\0\0\x14ftyp3gp5", Some(VideoFormat::Mp4)),
            (b"\0\0\0\x14ftypqt  ", Some(VideoFormat::Mov)),
            (b"\0\0\0\x08wide\0\0\0\0mdat", Some(VideoFormat::Mov)),
            (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", Some(VideoFormat::WebM)),
            (b"\x1a\x45\xdf\xa3\xa3\x42\x82\x88matroska", Some(VideoFormat::Matroska)),
            (b"RIFF\x10\0\0\0AVI LIST", Some(VideoFormat::Avi)),
            (b"\0\0\x01\xba\x44", Some(VideoFormat::MpegPs)),
            (b"\0\0\0\x18ftypheic", None),
            (b"\0\0\0\x18ftypavif", None),
            (b"\0\0\0\x18ftypcrx ", None),
            (b"\0\0\0\x18ftypM4A ", None),
            (b"RIFF\x10\0\0\0WEBPVP8 ", None),
            (b"\xff\xd8\xff\xe0", None),
            (b"#EXTM3U\nfile:///etc/passwd", None),
        ];
        for (head, expected) in cases {
            assert_eq!(VideoFormat::sniff(head), expected, "{:?}", String::from_utf8_lossy(head));
        }
        assert_eq!(VideoFormat::sniff(&packets(188, 5)), Some(VideoFormat::MpegTs));
        assert_eq!(VideoFormat::sniff(&packets(192, 5)), Some(VideoFormat::MpegTs));
        assert_eq!(VideoFormat::sniff(&packets(188, 4)), None);
    }

    #[test]
    fn d8_cut_heads_are_nothing() {
        let whole: [&[u8]; 3] =
            [b"\0\0\0\x20ftypisom", b"\x1a\x45\xdf\xa3\xa3\x42\x82\x88matroska", b"RIFF\x10\0\0\0AVI "];
        for head in whole {
            for end in 0..head.len() {
                assert_eq!(VideoFormat::sniff(&head[..end]), None, "cut at {end}");
            }
        }
    }

    #[test]
    fn media_types_lead_back() {
        for format in VideoFormat::ALL {
            assert_eq!(VideoFormat::of_media_type(format.media_type()), Some(format));
        }
        assert_eq!(VideoFormat::of_media_type("image/jpeg"), None);
    }
}
