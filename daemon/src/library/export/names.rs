//! Names of exported files: what a stranger called a photo, made so that every file system takes it and no path comes of it (D8).

use unicode_normalization::UnicodeNormalization as _;

use crate::limits::EXPORT_NAME_BYTES;

/// Longest ending that is kept when a name is cut, in bytes with its dot.
const LONGEST_ENDING: usize = 16;

/// Names that Windows keeps for devices, whatever ending follows.
const RESERVED: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

/// The names of one photo and of what goes with it, all in one folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// The original.
    pub(super) original: String,
    /// The moving part, if it is a file of its own.
    pub(super) motion: Option<String>,
    /// The XMP sidecar.
    pub(super) xmp: String,
    /// The JSON sidecar.
    pub(super) json: String,
}

impl Names {
    /// The `number`th choice of names for a file called `shown`: the first is its own name, the second has ` (2)`. `motion` is the ending of its film.
    pub(super) fn choice(shown: &str, number: u32, media_type: &str, motion: Option<&str>) -> Self {
        let suffix = if number > 1 { format!(" ({number})") } else { String::new() };
        let (stem, ending) = split(shown, media_type);
        let room = EXPORT_NAME_BYTES.saturating_sub(ending.len() + suffix.len());
        let stem = without_tail(cut(&stem, room));
        let stem = if stem.is_empty() { "photo" } else { stem };
        // What was cut off may have been all that told it from a device.
        let stem = if is_reserved(stem) { format!("_{stem}") } else { stem.to_owned() };
        let original = format!("{stem}{suffix}{ending}");
        let motion = motion.map(|film| {
            let beside = format!("{stem}{suffix}.{film}");
            // A photo that calls itself a film.
            if key(&beside) == key(&original) { format!("{original}.{film}") } else { beside }
        });
        Self { xmp: format!("{original}.xmp"), json: format!("{original}.json"), original, motion }
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &String> {
        [Some(&self.original), self.motion.as_ref(), Some(&self.xmp), Some(&self.json)].into_iter().flatten()
    }
}

/// What two names have in common that some file system takes for the same.
pub(super) fn key(name: &str) -> String {
    name.nfc().flat_map(char::to_lowercase).nfc().collect()
}

/// The ending for a film of this media type.
pub(super) fn film_ending(media_type: &str) -> &'static str {
    if media_type == "video/mp4" { "mp4" } else { "mov" }
}

/// A safe stem and a safe ending with its dot; a name without an ending gets that of its media type.
fn split(shown: &str, media_type: &str) -> (String, String) {
    let last = shown.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.nfc().map(|c| if is_safe(c) { c } else { '_' }).collect();
    let clean = without_tail(clean.trim_start());
    let (stem, ending) = match clean.rfind('.') {
        Some(dot) if dot > 0 && clean.len() - dot <= LONGEST_ENDING && clean.len() - dot > 1 => clean.split_at(dot),
        _ => (clean, ending_of(media_type)),
    };
    // Hidden files are passed over by many programs that copy.
    let stem = if let Some(rest) = stem.strip_prefix('.') { format!("_{rest}") } else { stem.to_owned() };
    let stem = if is_reserved(&stem) { format!("_{stem}") } else { stem };
    (stem, ending.to_owned())
}

/// Whether no file system minds, and no reader is led astray by, a character.
fn is_safe(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fffe}'..='\u{ffff}');
    !c.is_control() && !turns && !matches!(c, '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*')
}

fn is_reserved(stem: &str) -> bool {
    let first = stem.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    let numbered = |name: &str| {
        first.strip_prefix(name).is_some_and(|rest| {
            let mut rest = rest.chars();
            rest.next().is_some_and(|c| c.is_ascii_digit() || "¹²³".contains(c)) && rest.next().is_none()
        })
    };
    RESERVED.contains(&first.as_str()) || numbered("COM") || numbered("LPT")
}

/// At most so many bytes, whole characters.
fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// Without dots and spaces at the end, which Windows drops by itself.
fn without_tail(text: &str) -> &str {
    text.trim_end_matches(|c: char| c == '.' || c.is_whitespace())
}

fn ending_of(media_type: &str) -> &'static str {
    match media_type {
        "image/jpeg" => ".jpg",
        "image/png" => ".png",
        "image/webp" => ".webp",
        "image/gif" => ".gif",
        "image/tiff" => ".tif",
        "image/bmp" => ".bmp",
        "image/avif" => ".avif",
        "image/heic" | "image/heif" => ".heic",
        "video/mp4" => ".mp4",
        "video/quicktime" => ".mov",
        "video/webm" => ".webm",
        "video/x-matroska" => ".mkv",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn first(shown: &str) -> String {
        Names::choice(shown, 1, "image/jpeg", None).original
    }

    #[test]
    fn tame_names_stay_as_they_are() {
        for name in ["IMG_1234.jpg", "Zoë am Strand.HEIC", "a.b.c.tif", "写真.png", "x (2).jpg", "Ünï.JPG"] {
            assert_eq!(first(name), name);
        }
    }

    #[test]
    fn d8_hostile_names_become_plain_ones() {
        let cases = [
            ("../../etc/passwd", "passwd.jpg"),
            ("..", "photo.jpg"),
            (".", "photo.jpg"),
            ("", "photo.jpg"),
            ("a/b\\c.jpg", "c.jpg"),
            ("dir/", "photo.jpg"),
            (".hidden.jpg", "_hidden.jpg"),
            (".jpg", "_jpg.jpg"),
            ("a\u{0}b\nc.jpg", "a_b_c.jpg"),
            ("what?*<>|:\".jpg", "what_______.jpg"),
            ("trail. . .", "trail.jpg"),
            ("dot..jpg", "dot.jpg"),
            ("space .jpg", "space.jpg"),
            ("  lead.jpg", "lead.jpg"),
            ("NUL", "_NUL.jpg"),
            ("con.jpg", "_con.jpg"),
            ("Com1.tar.gz", "_Com1.tar.gz"),
            ("LPT¹.jpg", "_LPT¹.jpg"),
            ("COM10.jpg", "COM10.jpg"),
            ("console.jpg", "console.jpg"),
            ("photo\u{202e}gpj.exe", "photo_gpj.exe"),
        ];
        for (shown, safe) in cases {
            assert_eq!(first(shown), safe, "{shown:?}");
        }
    }

    #[test]
    fn a_second_file_of_one_name_has_its_number_before_the_ending() {
        let names = Names::choice("IMG_1.HEIC", 2, "image/heic", Some("mov"));
        assert_eq!(names.original, "IMG_1 (2).HEIC");
        assert_eq!(names.motion.as_deref(), Some("IMG_1 (2).mov"));
        assert_eq!((names.xmp.as_str(), names.json.as_str()), ("IMG_1 (2).HEIC.xmp", "IMG_1 (2).HEIC.json"));
        let film = Names::choice("a.MOV", 1, "image/jpeg", Some("mov"));
        assert_eq!(film.motion.as_deref(), Some("a.MOV.mov"), "a photo that calls itself a film");
    }

    #[test]
    fn names_that_some_file_system_takes_for_the_same_have_one_key() {
        assert_eq!(key("IMG.JPG"), key("img.jpg"));
        assert_eq!(key("Zoe\u{308}.jpg"), key("ZO\u{cb}.JPG"), "composed or not");
        assert_ne!(key("a.jpg"), key("b.jpg"));
    }

    #[test]
    fn long_names_are_cut_between_characters_and_keep_their_ending() {
        let name = first(&format!("{}.jpeg", "ä".repeat(300)));
        assert!(name.len() <= EXPORT_NAME_BYTES && name.ends_with("ä.jpeg"), "{name}");
        let numbered = Names::choice(&"x".repeat(300), 1234, "", None).original;
        assert!(numbered.len() == EXPORT_NAME_BYTES && numbered.ends_with("x (1234)"), "{numbered}");
        let long_ending = first(&format!("a.{}", "b".repeat(300)));
        assert!(long_ending.len() <= EXPORT_NAME_BYTES && long_ending.ends_with("b.jpg"));
    }

    proptest! {
        #[test]
        fn d8_no_name_at_all_leaves_its_folder_or_is_refused_by_a_file_system(
            shown in "\\PC*|[\\x00-\\x7f]{0,300}|(\\.|/|\\\\| |CON|é){0,40}", number in 1_u32..10_000, film in any::<bool>(),
        ) {
            let names = Names::choice(&shown, number, "image/jpeg", film.then_some("mov"));
            let mut keys = std::collections::HashSet::new();
            for name in names.all() {
                prop_assert!(!name.is_empty() && name.len() <= EXPORT_NAME_BYTES + 5, "{name:?}");
                prop_assert!(name.chars().all(is_safe), "{name:?}");
                prop_assert!(!name.starts_with(['.', ' ']) && !name.ends_with(['.', ' ']), "{name:?}");
                prop_assert!(!is_reserved(name), "{name:?}");
                prop_assert!(keys.insert(key(name)), "{names:?}");
            }
            // What was safe stays as it is.
            prop_assert_eq!(&Names::choice(&names.original, 1, "image/jpeg", None).original, &names.original);
        }
    }
}
