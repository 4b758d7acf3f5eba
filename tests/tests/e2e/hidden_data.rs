//! What files say beside their pixels stays with whoever took them (D4): real files with everything hidden in them go to a member and to a guest.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use image::{DynamicImage, ImageDecoder, ImageReader, RgbImage};
use inframe_tests::daemon::Daemon;
use inframe_tests::guest::Guest;
use inframe_tests::planted::{self, Planted, Reading};
use inframe_tests::scan::contains;
use inframe_tests::scene::{SOON, Scene, WORKED, announce, received, share_all, upload};
use inframe_tests::views::Asset;
use inframe_tests::wait::{Seen, wait_until};
use reqwest::Method;
use serde_json::json;

/// Tags that say how to show the pixels, by group; `*` for all of a group.
const HARMLESS: &[(&str, &[&str])] = &[
    ("", &["SourceFile"]),
    ("ExifTool", &["ExifToolVersion"]),
    (
        "System",
        &[
            "FileName",
            "Directory",
            "FileSize",
            "FileModifyDate",
            "FileAccessDate",
            "FileInodeChangeDate",
            "FilePermissions",
        ],
    ),
    (
        "File",
        &[
            "FileType",
            "FileTypeExtension",
            "MIMEType",
            "ExifByteOrder",
            "ImageWidth",
            "ImageHeight",
            "EncodingProcess",
            "BitsPerSample",
            "ColorComponents",
            "YCbCrSubSampling",
        ],
    ),
    ("JFIF", &["JFIFVersion", "ResolutionUnit", "XResolution", "YResolution"]),
    ("IFD0", &["Orientation"]),
    (
        "PNG",
        &["ImageWidth", "ImageHeight", "BitDepth", "ColorType", "Compression", "Filter", "Interlace", "ProfileName"],
    ),
    ("RIFF", &["ImageWidth", "ImageHeight", "WebP_Flags", "VP8Version", "HorizontalScale", "VerticalScale"]),
    (
        "GIF",
        &[
            "GIFVersion",
            "ImageWidth",
            "ImageHeight",
            "HasColorMap",
            "ColorResolutionDepth",
            "BitsPerPixel",
            "BackgroundColor",
            "PixelAspectRatio",
            "AnimationIterations",
        ],
    ),
    ("ICC-header", &["*"]),
    ("ICC_Profile", &["*"]),
    ("Composite", &["ImageSize", "Megapixels"]),
];

/// Of videos: words that no tag may have in its name.
const TELLING: &[&str] = &[
    "GPS",
    "Location",
    "Serial",
    "Make",
    "Model",
    "Software",
    "Author",
    "Artist",
    "Title",
    "Comment",
    "Copyright",
    "Chapter",
    "XMP",
    "UserData",
    "Keys:",
    "ItemList",
    "Information",
    "Text",
];

fn is_harmless(tag: &str) -> bool {
    let (group, name) = tag.split_once(':').unwrap_or(("", tag));
    HARMLESS.iter().any(|(known, names)| *known == group && names.iter().any(|known| *known == name || *known == "*"))
}

fn upright(bytes: &[u8]) -> Result<RgbImage> {
    let mut decoder = ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format()?.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image.to_rgb8())
}

/// How far two pictures of one size are apart, 0 to 255, on average.
fn apart(one: &RgbImage, other: &RgbImage) -> f64 {
    let sum: u64 = one.iter().zip(other.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / one.len() as f64
}

fn everything(folder: &Path) -> Result<Vec<Planted>> {
    let mut all = planted::photos(folder)?;
    all.extend(planted::videos(folder)?);
    Ok(all)
}

fn read(folder: &Path, name: &str, bytes: &[u8]) -> Result<Reading> {
    let path = folder.join(name);
    std::fs::write(&path, bytes)?;
    planted::read(&path)
}

/// Nothing of what was planted is in the bytes that came, in any form that a tool finds, and the picture is the same.
fn check_arrived(folder: &Path, planted: &Planted, bytes: &[u8]) -> Result<()> {
    let Planted { kind, .. } = planted;
    let reading = read(folder, &format!("arrived-{kind}"), bytes)?;
    let marks = reading.marks(&planted.marks);
    ensure!(marks.is_empty(), "d4: {kind}: {marks:?} went out");
    ensure!(!contains(bytes, &planted.thumbnail), "d4: {kind}: the small picture of somebody else went out");
    let tags = reading.tags.iter().map(|(tag, value)| format!("{tag} = {value}"));
    let Some(picture) = &planted.picture else {
        let telling: Vec<String> = tags.filter(|tag| TELLING.iter().any(|word| tag.contains(word))).collect();
        ensure!(telling.is_empty(), "d4: {kind}: {telling:#?}");
        let dates = reading.tags.iter().filter(|(tag, _)| tag.ends_with("Date") && !tag.starts_with("System:"));
        let told: Vec<_> = dates.filter(|(_, date)| *date != "0000:00:00 00:00:00").collect();
        ensure!(told.is_empty(), "d4: {kind}: {told:?}");
        return Ok(());
    };
    let telling: Vec<String> = tags.filter(|tag| !is_harmless(tag.split(" = ").next().unwrap_or_default())).collect();
    ensure!(telling.is_empty(), "d4: {kind}: {telling:#?}");
    let came = upright(bytes)?;
    ensure!(came.dimensions() == picture.dimensions(), "{kind}: {:?}", came.dimensions());
    // A GIF has 256 colours; the others lose what their coding loses.
    let (off, most) = (apart(&came, picture), if *kind == "gif" { 20.0 } else { 4.0 });
    ensure!(off < most, "{kind}: pixels are {off} apart on average");
    Ok(())
}

#[test]
fn planted_files_do_carry_what_is_looked_for() -> Result<()> {
    if !planted::tools("hidden data")? {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let all = everything(folder.path())?;
    let kinds: Vec<&str> = all.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, ["jpg", "png", "webp", "gif", "tif", "avif", "heic", "motion", "mp4", "mov", "mkv"]);
    let sizes: BTreeSet<(u32, u32)> = all.iter().map(|one| one.size).collect();
    assert_eq!(sizes.len(), all.len(), "what arrives is told apart by its size");
    for one in &all {
        let reading = read(folder.path(), &format!("before-{}", one.kind), &one.bytes)?;
        let seen: BTreeSet<&String> = reading.marks(&one.marks).into_iter().collect();
        let in_name = one.marks.iter().filter(|mark| one.file_name.contains(mark.as_str())).count();
        let missing: Vec<&String> =
            one.marks.iter().filter(|mark| !seen.contains(mark) && !one.file_name.contains(mark.as_str())).collect();
        ensure!(missing.is_empty() && in_name == 1, "{}: {missing:?} of {} are not in it", one.kind, one.marks.len());
        let place = reading.tags.iter().find(|(tag, _)| tag.contains("GPS") || tag.contains("Location"));
        ensure!(place.is_some(), "{}: exiftool sees no place: {:#?}", one.kind, reading.tags);
        if !one.thumbnail.is_empty() {
            ensure!(contains(&one.bytes, &one.thumbnail), "{}: no small picture", one.kind);
        }
        if let (Some(picture), true) = (&one.picture, ["jpg", "png", "webp", "gif", "tif"].contains(&one.kind)) {
            let off = apart(&upright(&one.bytes)?, picture);
            ensure!(off < 20.0, "{}: {off}", one.kind);
        }
    }
    Ok(())
}

/// Waits until the finder has this many photos and videos; whoever is asked says yes.
async fn all_received(scene: &Scene, count: usize) -> Result<Vec<Asset>> {
    wait_until("everything at the finder", WORKED, async || {
        for node in [&scene.photographer, &scene.finder] {
            for question in node.api().approvals("waiting").await? {
                node.api().decide(&question.id, "allow", false).await?;
            }
        }
        let got = received(scene.finder.api()).await?;
        let done = got.len() >= count;
        let state = async || format!("{} of {count}: {:?}", got.len(), scene.photographer.api().transfers().await);
        Ok(if done { Seen::Done(got) } else { Seen::NotYet(state().await) })
    })
    .await
}

#[tokio::test]
async fn d4_nothing_hidden_in_a_file_reaches_the_person_who_gets_it() -> Result<()> {
    if !planted::tools("hidden data")? {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let all = everything(folder.path())?;
    let scene = Scene::gather("automatic").await?;
    for one in &all {
        upload(scene.photographer.api(), &one.file_name, one.bytes.clone()).await?;
    }
    announce(scene.finder.api(), &scene.event).await?;
    let mut got = all_received(&scene, all.len()).await?;
    for one in &all {
        let is_video = one.picture.is_none();
        let place = got
            .iter()
            .position(|asset| (asset.width, asset.height) == one.size && asset.video.is_some() == is_video)
            .with_context(|| format!("the {} did not come: {got:#?}", one.kind))?;
        let asset = got.swap_remove(place);
        ensure!(!asset.has_location && asset.motion.is_none(), "d4: {}: {asset:?}", one.kind);
        // All that the finder's node says of it.
        let said = scene.finder.api().asset_json(&asset.id).await?.to_string();
        let told = one.marks.iter().find(|mark| said.contains(mark.as_str()));
        ensure!(told.is_none() && !said.contains("48.137"), "d4: {}: {said}", one.kind);
        check_arrived(folder.path(), one, &scene.finder.api().original(&asset.id).await?)?;
    }
    Ok(())
}

#[tokio::test]
async fn d4_nothing_hidden_in_a_file_reaches_a_guest() -> Result<()> {
    if !planted::tools("hidden data")? {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let all = planted::photos(folder.path())?;
    let host = Daemon::start("Ann").await?;
    let api = host.api();
    let event = api.create_event("Summer party").await?.id;
    share_all(api, &event, "automatic").await?;
    let mut ids = Vec::new();
    for one in &all {
        ids.push(upload(api, &one.file_name, one.bytes.clone()).await?);
    }
    api.change_guest_page(&event, &json!({ "on": true, "selfies": true })).await?;
    let link = wait_until("the guest page's port", SOON, async || {
        let page = api.guest_page(&event).await?;
        Ok(Seen::when(page["links"][0]["link"].as_str().map(str::to_owned), || format!("{}", page["problem"])))
    })
    .await?;
    let mut guest = Guest::with(&link)?;
    guest.joins("Mia").await?;
    ensure!(guest.takes_selfie(&inframe_tests::photos::selfie()?).await? == 204);
    wait_until("all photos at the guest", WORKED, async || {
        let page = api.guest_page(&event).await?;
        let asks = page["asks"].as_array().cloned().unwrap_or_default();
        if !asks.is_empty() {
            let asks: Vec<_> = asks.iter().map(|ask| json!({ "guest": ask["guest"], "asset": ask["asset"] })).collect();
            api.guest_wish(&event, "asks", &json!({ "asks": asks, "allow": true })).await?;
        }
        let found = guest.found().await?;
        let count: usize = ["sure", "maybe"].map(|list| found[list].as_array().map_or(0, Vec::len)).iter().sum();
        Ok(Seen::when((count >= all.len()).then_some(()), || found.to_string()))
    })
    .await?;
    for (one, id) in all.iter().zip(&ids) {
        for shape in ["small", "large", "whole"] {
            let (status, bytes) = guest.photo(id, shape).await?;
            ensure!(status == 200, "{} {shape}: {status}", one.kind);
            if shape == "whole" {
                check_arrived(folder.path(), one, &bytes)?;
            }
            let marks = one.marks.iter().find(|mark| contains(&bytes, mark.as_bytes()));
            ensure!(marks.is_none() && !contains(&bytes, b"Exif") || shape == "whole", "d4: {} {shape}", one.kind);
        }
    }
    let archive = guest.request(Method::GET, "found.zip").send().await?.error_for_status()?.bytes().await?;
    ensure!(archive.starts_with(b"PK\x03\x04"));
    for one in &all {
        let marks = one.marks.iter().find(|mark| contains(&archive, mark.as_bytes()));
        ensure!(marks.is_none() && !contains(&archive, &one.thumbnail), "d4: {} in the archive: {marks:?}", one.kind);
    }
    Ok(())
}

/// Sends one of the planted photos to the finder, with these details left in, and gives what `exiftool` reads in what came beside how to show it.
async fn told(scene: &Scene, folder: &Path, planted: &Planted, keep: [bool; 3]) -> Result<Vec<(String, String)>> {
    let [time, place, camera] = keep;
    let api = scene.photographer.api();
    let members = api.event(&scene.event).await?.members;
    let finder = members.iter().find(|member| member.nickname == "Finder").context("no finder")?;
    api.set_details(&scene.event, &finder.id, time, place, camera).await?;
    let before = received(scene.finder.api()).await?;
    upload(api, &planted.file_name, planted.bytes.clone()).await?;
    let got = all_received(scene, before.len() + 1).await?;
    let fresh = got.iter().find(|asset| before.iter().all(|old| old.id != asset.id)).context("nothing came")?;
    let bytes = scene.finder.api().original(&fresh.id).await?;
    let reading = read(folder, &format!("told-{}", planted.kind), &bytes)?;
    // The camera's model is itself a mark; nothing else may come with it.
    let marks = reading.marks(&planted.marks);
    ensure!(marks.len() <= usize::from(camera) * 2, "d4: {}: {marks:?} went out", planted.kind);
    let told = reading.tags.into_iter().filter(|(tag, _)| !is_harmless(tag) && !tag.starts_with("Composite:"));
    Ok(told.map(|(tag, value)| (tag, value.as_str().map_or_else(|| value.to_string(), str::to_owned))).collect())
}

fn tags(told: &[(String, String)]) -> Vec<&str> {
    told.iter().map(|(tag, _)| tag.as_str()).collect()
}

#[tokio::test]
async fn d4_details_that_the_owner_leaves_in_go_to_that_person_and_nothing_else_with_them() -> Result<()> {
    if !planted::tools("details that stay")? {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let all = planted::photos_of(folder.path(), &["png", "jpg", "heic", "avif", "webp"])?;
    let of = |kind: &str| all.iter().find(|one| one.kind == kind).context("no such photo");
    let scene = Scene::gather("automatic").await?;
    announce(scene.finder.api(), &scene.event).await?;

    // The PNG stands upright, so that it has no orientation to say.
    let time = told(&scene, folder.path(), of("png")?, [true, false, false]).await?;
    assert_eq!(tags(&time), ["ExifIFD:DateTimeOriginal", "ExifIFD:OffsetTimeOriginal"]);
    assert_eq!((time[0].1.as_str(), time[1].1.as_str()), (planted::TAKEN, "+02:00"));

    // Turned by EXIF, and converted on its way.
    for kind in ["jpg", "heic"] {
        let place = told(&scene, folder.path(), of(kind)?, [false, true, false]).await?;
        let gps = ["GPS:GPSLatitude", "GPS:GPSLatitudeRef", "GPS:GPSLongitude", "GPS:GPSLongitudeRef"];
        assert_eq!(tags(&place), gps, "{kind}");
        let degrees = [&place[0].1, &place[2].1].map(|text| text.replace("deg ", ""));
        assert_eq!(degrees, ["48 8' 13.75\"", "11 34' 34.05\""], "{kind}");
    }

    let camera = told(&scene, folder.path(), of("avif")?, [false, false, true]).await?;
    assert_eq!(tags(&camera), ["IFD0:Model"]);
    let nothing = told(&scene, folder.path(), of("webp")?, [false; 3]).await?;
    ensure!(nothing.is_empty(), "d4: taken back means nothing is left in: {nothing:?}");

    // A video says it in atoms of its own.
    let film = planted::videos(folder.path())?.into_iter().find(|one| one.kind == "mov").context("no video")?;
    let said = told(&scene, folder.path(), &film, [true, true, false]).await?;
    let value = |tag: &str| said.iter().find(|(name, _)| name == tag).map(|(_, value)| value.as_str());
    assert_eq!(value("QuickTime:CreateDate"), Some(planted::TAKEN));
    let place = value("UserData:LocationInformation").context("no place")?;
    ensure!(place.contains("Lat=48.137") && place.contains("Lon=11.576"), "{place}");
    ensure!(said.iter().all(|(tag, _)| !tag.starts_with("Keys:") && !tag.starts_with("XMP")), "{said:?}");
    Ok(())
}
