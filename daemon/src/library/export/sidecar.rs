//! What goes beside an exported file: its facts as JSON and as XMP. No embedding, no key, nothing by which a face could be found elsewhere (D5).

use inframe_protocol::ContentId;
use jiff::Timestamp;
use jiff::tz::Offset;
use serde::Serialize;

use super::Facts;
use crate::library::{AssetKind, Origin, StoredAsset};

/// By this a JSON sidecar is known to be ours.
const JSON_FORMAT: &str = "inframe-photo";
/// The version of its fields: raised when one changes its meaning or goes.
const VERSION: u32 = 1;
/// By this an XMP sidecar is known to be ours and to have been touched by nobody since: programs that change one put their own name here.
const XMP_TOOLKIT: &str = "Inframe export 1";

/// The JSON sidecar.
#[derive(Serialize)]
struct Sidecar<'a> {
    format: &'static str,
    version: u32,
    content_id: String,
    kind: &'static str,
    file_name: &'a str,
    media_type: &'a str,
    size_bytes: u64,
    width: Option<u32>,
    height: Option<u32>,
    duration_ms: Option<u64>,
    taken_at: Option<String>,
    imported_at: Option<String>,
    camera: Option<&'a str>,
    has_location: bool,
    origin: SidecarOrigin<'a>,
    people: &'a [String],
    motion: Option<Film>,
    not_shown_because: Option<&'a str>,
}

#[derive(Serialize)]
struct SidecarOrigin<'a> {
    kind: &'static str,
    event: Option<&'a str>,
    from: Option<&'a str>,
}

/// The moving part of a photo, as a file of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Film {
    /// Its name, beside the photo.
    pub(super) file: String,
    /// BLAKE3 of its bytes.
    pub(super) content_id: String,
    /// By content.
    pub(super) media_type: String,
    /// Its size.
    pub(super) size_bytes: u64,
}

/// The JSON sidecar of an asset. The same facts give the same bytes.
pub(super) fn json(asset: &StoredAsset, facts: &Facts, motion: Option<Film>) -> serde_json::Result<Vec<u8>> {
    let (kind, duration_ms, reason) = match &asset.kind {
        AssetKind::Photo => ("photo", None, None),
        AssetKind::Video { duration_ms, .. } => ("video", Some(*duration_ms), None),
        AssetKind::File { reason, .. } => ("file", None, Some(reason.as_str())),
    };
    let origin = match asset.origin {
        Origin::Imported => SidecarOrigin { kind: "imported", event: None, from: None },
        Origin::Guest { .. } => {
            SidecarOrigin { kind: "guest", event: facts.event.as_deref(), from: facts.from.as_deref() }
        }
        Origin::Received { .. } => {
            SidecarOrigin { kind: "received", event: facts.event.as_deref(), from: facts.from.as_deref() }
        }
    };
    let sidecar = Sidecar {
        format: JSON_FORMAT,
        version: VERSION,
        content_id: asset.content.to_string(),
        kind,
        file_name: &asset.file_name,
        media_type: &asset.media_type,
        size_bytes: asset.size_bytes,
        width: Some(asset.width).filter(|pixels| *pixels > 0),
        height: Some(asset.height).filter(|pixels| *pixels > 0),
        duration_ms,
        taken_at: taken_at(asset),
        imported_at: i64::try_from(asset.imported_at).ok().and_then(|at| written(at, Some(0))),
        camera: asset.camera.as_deref(),
        has_location: asset.has_location,
        origin,
        people: &facts.people,
        motion,
        not_shown_because: reason,
    };
    let mut bytes = serde_json::to_vec_pretty(&sidecar)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The XMP sidecar of an asset. The same facts give the same bytes.
pub(super) fn xmp(asset: &StoredAsset, facts: &Facts) -> Vec<u8> {
    let mut said = String::new();
    let mut say = |name: &str, text: &str| said.push_str(&format!("   <{name}>{}</{name}>\n", escaped(text)));
    say("dc:format", &asset.media_type);
    say("dc:identifier", &format!("blake3:{}", asset.content));
    say("dc:source", &asset.file_name);
    say("xmpMM:PreservedFileName", &asset.file_name);
    if let Some(taken) = taken_at(asset) {
        for name in ["photoshop:DateCreated", "exif:DateTimeOriginal", "xmp:CreateDate"] {
            say(name, &taken);
        }
    }
    if let Some(camera) = &asset.camera {
        say("tiff:Model", camera);
    }
    if !facts.people.is_empty() {
        let people: String =
            facts.people.iter().map(|name| format!("     <rdf:li>{}</rdf:li>\n", escaped(name))).collect();
        said.push_str(&format!(
            "   <Iptc4xmpExt:PersonInImage>\n    <rdf:Bag>\n{people}    </rdf:Bag>\n   </Iptc4xmpExt:PersonInImage>\n"
        ));
    }
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>
<x:xmpmeta xmlns:x=\"adobe:ns:meta/\" x:xmptk=\"{XMP_TOOLKIT}\">
 <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">
  <rdf:Description rdf:about=\"\"
    xmlns:dc=\"http://purl.org/dc/elements/1.1/\"
    xmlns:exif=\"http://ns.adobe.com/exif/1.0/\"
    xmlns:photoshop=\"http://ns.adobe.com/photoshop/1.0/\"
    xmlns:tiff=\"http://ns.adobe.com/tiff/1.0/\"
    xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\"
    xmlns:xmpMM=\"http://ns.adobe.com/xap/1.0/mm/\"
    xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\">
{said}  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end=\"w\"?>
"
    )
    .into_bytes()
}

/// Whether a sidecar was written by an export for this very content, and changed by no other program since: only then it may be written anew.
pub(super) fn is_ours(there: &[u8], content: &ContentId) -> bool {
    let has = |text: &str| memchr::memmem::find(there, text.as_bytes()).is_some();
    let marked = has(&format!("\"format\": \"{JSON_FORMAT}\"")) || has(&format!("x:xmptk=\"{XMP_TOOLKIT}\""));
    marked && has(&content.to_string())
}

/// When it was taken, as ISO 8601: with the offset of its place where the file gives one, else as the clock on its wall.
fn taken_at(asset: &StoredAsset) -> Option<String> {
    written(asset.taken_at?, asset.offset_minutes)
}

/// A time in ISO 8601, as [`taken_at`] gives it.
pub(super) fn written(unix_ms: i64, offset_minutes: Option<i16>) -> Option<String> {
    let at = Timestamp::from_millisecond(unix_ms).ok()?;
    let offset = Offset::from_seconds(i32::from(offset_minutes.unwrap_or(0)) * 60).ok()?;
    let local = offset.to_datetime(at);
    if !(0..=9999).contains(&local.year()) {
        return None;
    }
    let wall = local.strftime("%Y-%m-%dT%H:%M:%S%.f");
    Some(match offset_minutes {
        None => wall.to_string(),
        Some(minutes) => {
            let sign = if minutes < 0 { '-' } else { '+' };
            format!("{wall}{sign}{:02}:{:02}", minutes.unsigned_abs() / 60, minutes.unsigned_abs() % 60)
        }
    })
}

/// Text for XML: what would be markup escaped, what XML has no place for replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use serde_json::{Value, json};

    use super::*;
    use crate::library::export::tests::asset;

    fn facts() -> Facts {
        let people = vec!["Zoë <b>&\"'".to_owned(), "]]>\u{1}".to_owned()];
        Facts { people, event: Some("Party".into()), from: Some("Alice".into()) }
    }

    #[test]
    fn the_json_sidecar_has_the_documented_fields_and_no_others() {
        let mut photo = asset("IMG_1.jpg", b"bytes");
        (photo.taken_at, photo.offset_minutes) = (Some(1_785_931_391_000), Some(120));
        photo.imported_at = 1_785_931_999_120;
        let film = Film {
            file: "IMG_1.mov".into(),
            content_id: "00".into(),
            media_type: "video/quicktime".into(),
            size_bytes: 7,
        };
        let bytes = json(&photo, &facts(), Some(film)).unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&bytes).unwrap(),
            json!({
                "format": "inframe-photo",
                "version": 1,
                "content_id": blake3::hash(b"bytes").to_string(),
                "kind": "photo",
                "file_name": "IMG_1.jpg",
                "media_type": "image/jpeg",
                "size_bytes": 5,
                "width": 40,
                "height": 30,
                "duration_ms": null,
                "taken_at": "2026-08-05T14:03:11+02:00",
                "imported_at": "2026-08-05T12:13:19.12+00:00",
                "camera": "Camera <1>",
                "has_location": true,
                "origin": { "kind": "imported", "event": null, "from": null },
                "people": ["Zoë <b>&\"'", "]]>\u{1}"],
                "motion": { "file": "IMG_1.mov", "content_id": "00", "media_type": "video/quicktime", "size_bytes": 7 },
                "not_shown_because": null,
            })
        );
        assert!(is_ours(&bytes, &photo.content) && !is_ours(&bytes, &ContentId::of(b"other")));
    }

    #[test]
    fn times_without_an_offset_are_wall_time_and_impossible_ones_are_left_out() {
        assert_eq!(written(0, None).unwrap(), "1970-01-01T00:00:00");
        assert_eq!(written(-1, Some(-210)).unwrap(), "1969-12-31T20:29:59.999-03:30");
        assert_eq!(written(i64::MAX, None), None);
        assert_eq!(written(i64::MIN, Some(60)), None);
    }

    #[test]
    fn a_sidecar_that_another_program_has_changed_is_not_ours() {
        let photo = asset("a.jpg", b"a");
        let ours = xmp(&photo, &facts());
        assert!(is_ours(&ours, &photo.content));
        let changed = String::from_utf8(ours).unwrap().replace(XMP_TOOLKIT, "XMP Core 5.5.0");
        assert!(!is_ours(changed.as_bytes(), &photo.content));
    }

    #[test]
    fn exiftool_reads_the_xmp_sidecar_back() {
        if Command::new("exiftool").arg("-ver").output().is_err() {
            eprintln!("exiftool is not installed: what it reads of an XMP sidecar is not tested");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut photo = asset("a & <b>'s \"photo\".jpg", b"a");
        (photo.taken_at, photo.offset_minutes) = (Some(1_785_931_391_500), Some(-330));
        let path = folder.path().join("a.xmp");
        std::fs::write(&path, xmp(&photo, &facts())).unwrap();
        let said = Command::new("exiftool")
            .args(["-j", "-G1", "-struct", "-validate", "-warning", "-a"])
            .arg("-all")
            .arg(&path)
            .output();
        let said: Value = serde_json::from_slice(&said.unwrap().stdout).unwrap();
        let is = |name: &str, value: Value| assert_eq!(said[0][name], value, "{name} in {said:#}");
        is("XMP-photoshop:DateCreated", json!("2026:08:05 06:33:11.5-05:30"));
        is("XMP-exif:DateTimeOriginal", json!("2026:08:05 06:33:11.5-05:30"));
        is("XMP-xmp:CreateDate", json!("2026:08:05 06:33:11.5-05:30"));
        is("XMP-dc:Source", json!("a & <b>'s \"photo\".jpg"));
        is("XMP-dc:Format", json!("image/jpeg"));
        is("XMP-xmpMM:PreservedFileName", json!("a & <b>'s \"photo\".jpg"));
        is("XMP-tiff:Model", json!("Camera <1>"));
        is("XMP-iptcExt:PersonInImage", json!(["Zoë <b>&\"'", "]]>\u{fffd}"]));
        is("ExifTool:Warning", Value::Null);
        is("ExifTool:Validate", json!("OK"));
        assert_eq!(said[0]["XMP-x:XMPToolkit"], json!(XMP_TOOLKIT), "{said:#}");
    }
}
