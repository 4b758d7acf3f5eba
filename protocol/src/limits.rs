//! Every bound of the protocol (D7), with its unit and its reason.

// ---- ids, names and addresses ----

/// Bytes of a node id: a libp2p `PeerId` of an Ed25519 key has 38, one of a hashed key 34; 64 leaves room.
pub const MAX_NODE_ID_BYTES: usize = 64;
/// Bytes of an event's name: about 40 characters of any script; it is part of a QR code.
pub const MAX_EVENT_NAME_BYTES: usize = 120;
/// Bytes of a nickname: shown in lists and beside selfies.
pub const MAX_NICKNAME_BYTES: usize = 64;
/// Bytes of the name in a contact: a full name of any script.
pub const MAX_CONTACT_NAME_BYTES: usize = 128;
/// Bytes of an e-mail address: what mail servers take.
pub const MAX_EMAIL_BYTES: usize = 254;
/// Bytes of a find-me's label, such as a child's name: as a nickname.
pub const MAX_LABEL_BYTES: usize = 64;
/// Addresses of one node: IPv4 and IPv6 of a few interfaces; a QR code with more is hard to scan.
pub const MAX_ADDRESSES: usize = 8;
/// Bytes of one address: a multiaddress with a long DNS name.
pub const MAX_ADDRESS_BYTES: usize = 128;
/// Bytes of a model pack's id, `name@version` and a short hash.
pub const MAX_PACK_ID_BYTES: usize = 64;

// ---- invites and joining ----

/// Characters of an invite link: what a QR code of version 25 holds.
pub const MAX_INVITE_LINK_CHARS: usize = 2_400;
/// Bytes of a join request: 8 addresses of 128 bytes, and the rest.
pub const MAX_JOIN_REQUEST_BYTES: usize = 2 * 1024;
/// Bytes of a join reply: the roster of a full event; a longer history comes by sync.
pub const MAX_JOIN_REPLY_BYTES: usize = 1024 * 1024;
/// Words that two people compare: 66 bits, which nobody finds by trying while the host looks at a request.
pub const VERIFICATION_WORDS: usize = 6;
/// Digits of a code that people on one network read to each other: two of the selector, and six that are secret.
pub const CODE_DIGITS: usize = 8;
/// Selectors that codes may have: at a party with three open codes two have the same one in three cases of a hundred.
pub const CODE_SELECTORS: usize = 100;
/// Milliseconds that a code is open: long enough to read it out to a table.
pub const CODE_LIFE_MS: u64 = 10 * 60 * 1_000;
/// Wrong proofs that end a code: people mistype, and whoever guesses gets in with 5 codes of a million.
pub const MAX_WRONG_CODES: u8 = 5;
/// Bytes of what a host sends after a proof: an invite's fields with 8 addresses, sealed.
pub const MAX_CODE_GRANT_BYTES: usize = 2 * 1024;

// ---- roster ----

/// Members of an event: what the simulation in `tests/scale` was run with; every member holds the records of every other.
pub const MAX_MEMBERS: usize = 1_000;
/// Bytes of one signed roster entry: the grants of one epoch for 1,000 members are 145 KB.
pub const MAX_ROSTER_ENTRY_BYTES: usize = 160 * 1024;
/// Entries of a roster: ten years of weekly epochs and a thousand comings and goings, several times over.
pub const MAX_ROSTER_ENTRIES: usize = 8_192;
/// Bytes of a sealed box: a grant is 64 bytes and its tag 16.
pub const MAX_SEALED_BOX_BYTES: usize = 256;
/// Bytes of roster entries that one state keeps in memory: the history of a large event over years.
pub const MAX_ROSTER_BYTES: usize = 32 * 1024 * 1024;

// ---- records ----

/// Bytes of one sealed record on the wire: fits one gossip message and one network buffer.
pub const MAX_RECORD_BYTES: usize = 4 * 1024;
/// Bytes of a record's padded plaintext: record less its header (at most 89), signature (64), nonce (24), tag (16) and length (2).
pub const MAX_RECORD_PLAIN_BYTES: usize = 3_840;
/// Sizes in bytes that record plaintexts are padded to, so that a length tells an onlooker the kind at most.
pub const RECORD_PADDED_BYTES: [usize; 4] = [256, 1_024, 2_048, MAX_RECORD_PLAIN_BYTES];
/// Bytes of the selfie still in a find-me: a face of 112 to 128 pixels as JPEG; what is left of a record.
pub const MAX_STILL_BYTES: usize = 3_000;
/// Milliseconds that a find-me may live: consent is renewed at least daily.
pub const MAX_FIND_ME_LIFETIME_MS: u64 = 24 * 60 * 60 * 1_000;
/// Milliseconds that clocks of honest nodes may differ.
pub const MAX_CLOCK_SKEW_MS: u64 = 10 * 60 * 1_000;
/// Milliseconds after which a record has no effect any more: a find-me's longest life and the skew.
pub const RECORD_WINDOW_MS: u64 = MAX_FIND_ME_LIFETIME_MS + MAX_CLOCK_SKEW_MS;
/// Live find-mes of one member: me and two children. More templates would let a member search others' photos for many people.
pub const MAX_LIVE_FIND_MES: usize = 3;
/// Find-me records of one member in one hour by their own time: each may carry a new template, and answers leak faces.
pub const MAX_FIND_MES_PER_HOUR: usize = 4;
/// The hour of [`MAX_FIND_MES_PER_HOUR`], in milliseconds.
pub const FIND_ME_BUDGET_MS: u64 = 60 * 60 * 1_000;
/// Milliseconds that a protection may live: renewed daily, it outlasts a device that is off for some nights.
pub const MAX_PROTECTION_LIFETIME_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
/// Live protections of one member: me and two children, as with find-mes.
pub const MAX_LIVE_PROTECTIONS: usize = 3;
/// Protection records of one member in one hour by their own time: somebody who makes up their mind, and a new epoch or two. Each may carry a new
/// template, and whether a face comes blurred tells something about it.
pub const MAX_PROTECTIONS_PER_HOUR: usize = 8;
/// The hour of [`MAX_PROTECTIONS_PER_HOUR`], in milliseconds.
pub const PROTECTION_BUDGET_MS: u64 = 60 * 60 * 1_000;
/// Records that a state keeps of one author: the find-me budget of a day, as many withdrawals, and profiles.
pub const MAX_RECORDS_PER_AUTHOR: usize = 256;
/// Bytes of a record that is not a large one: one padded to 1,024 bytes with what surrounds it (at most 195) fits.
pub const MAX_SMALL_RECORD_BYTES: usize = 1_280;
/// Large records that a state keeps of one author: a find-me every 45 minutes all day. With the others an author fills 405 KiB at most.
pub const MAX_LARGE_RECORDS_PER_AUTHOR: usize = 32;

// ---- sync and push ----

/// Bytes of records and roster entries in one page of a sync reply or a push: a second's worth on a slow line.
pub const MAX_SYNC_PAGE_BYTES: usize = 512 * 1024;
/// Bytes of a record's tag: two records of one author with the same tag would take 2^32 signatures to find, and gain their author nothing.
pub const RECORD_TAG_BYTES: usize = 8;
/// Bytes of a state vector: 150 authors with 256 records of 18 bytes (sequence number and tag) each. Whoever holds more tells it slice by slice.
pub const MAX_VECTOR_BYTES: usize = 704 * 1024;
/// Slices that the authors of an event fall into: one bit of a `u32` each. Of 1,000 authors 31 share one, whose vector is 3 KB on a usual day.
pub const SYNC_SLICES: usize = 32;
/// Bytes of a slice's digest: an author who could find two sets of records with one digest could hide the others' in the same slice.
pub const SLICE_DIGEST_BYTES: usize = 16;
/// Bytes of a sync request: a vector and the event.
pub const MAX_SYNC_REQUEST_BYTES: usize = MAX_VECTOR_BYTES + 1_024;
/// Bytes of a sync reply: a page, its framing and a vector.
pub const MAX_SYNC_REPLY_BYTES: usize = MAX_SYNC_PAGE_BYTES + MAX_VECTOR_BYTES + 64 * 1024;
/// Bytes of a push: one page and its framing.
pub const MAX_PUSH_BYTES: usize = MAX_SYNC_PAGE_BYTES + 64 * 1024;

// ---- templates ----

/// Coordinates of a template: the power of two that 128 coordinates and the lift are padded to.
pub const TEMPLATE_COORDINATES: usize = 256;
/// Bytes of a template: 2 bits for each coordinate.
pub const TEMPLATE_BYTES: usize = TEMPLATE_COORDINATES / 4;
/// Coordinates of an embedding: one coordinate of the template is the lift.
pub const MAX_EMBEDDING_COORDINATES: usize = TEMPLATE_COORDINATES - 1;
/// Largest size of one coordinate of an embedding: face models give about 1; anything near this is a scaled attack or a fault.
pub const MAX_EMBEDDING_COORDINATE: f32 = 64.0;
/// Outer codes (0 and 3) of a template: 81 of 256 are expected with a deviation of 7.5; this is five deviations each way.
pub const TEMPLATE_OUTER_CODES: std::ops::RangeInclusive<u32> = 44..=119;
/// Squared distance between a template and the faceless one of its key. A template nearer than this is near to everybody's (R29).
pub const MIN_FACELESS_DISTANCE_SQUARED: u32 = 81;

// ---- offers and fetching ----

/// Bytes of a rendition: an hour and a half of a phone's 1080p video. Both sides hold one group at a time, and 512 KiB of hashes.
pub const MAX_RENDITION_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Pixels of a side of a rendition: the largest that the decoder takes.
pub const MAX_SIDE_PX: u32 = 32_768;
/// Bytes of a media type such as `image/jpeg`.
pub const MAX_MEDIA_TYPE_BYTES: usize = 64;
/// Bytes of a chunk group: the unit of verification and resumption; measured as fast as any larger one.
pub const GROUP_BYTES: u64 = 256 * 1024;
/// Groups of a content.
pub const MAX_GROUPS: usize = (MAX_RENDITION_BYTES / GROUP_BYTES) as usize;
/// Bytes of an offer: the hashes of 256 groups and the rest. Offers of more than 64 MiB carry no hashes; the reply to the fetch does.
pub const MAX_OFFER_BYTES: usize = 256 * 32 + 1_024;
/// How long a keeper may be asked to hold a sealed delivery, in milliseconds: a fortnight, a holiday.
pub const MAX_KEPT_MS: u64 = 14 * 24 * 60 * 60 * 1_000;
/// Bytes of what is said to a keeper: a label, a sealed letter and a signature.
pub const MAX_KEEP_BYTES: usize = 640;
/// Those who may wait to be admitted to an event at once.
pub const MAX_WAITING: usize = 50;
/// People that an invite is for: a large wedding with one poster.
pub const MAX_INVITE_USES: u32 = 500;
/// Milliseconds that an invite is good for: 90 days.
pub const MAX_INVITE_LIFE_MS: u64 = 90 * 24 * 60 * 60 * 1_000;
/// Invites that a co-host asked for and that can be used at once: all of them fit into one answer, 1,330 bytes each at most.
pub const MAX_DEPUTY_INVITES: usize = 8;
/// Bytes of an answer to a co-host: all who wait, 203 bytes each at most, or their invites.
pub const MAX_DEPUTY_BYTES: usize = 12_288;
/// Photos asked back in one question.
pub const MAX_RECALLS: usize = 100;
/// Bytes of a recall: the event and the offers.
pub const MAX_RECALL_BYTES: usize = MAX_RECALLS * 16 + 48;
/// Bytes of a punch: eight addresses and their lengths.
pub const MAX_PUNCH_BYTES: usize = 8 * 130 + 8;
/// Bytes of an offer's reply, a receipt, a fetch request, or what is said to a relay and back: a few ids or an address.
pub const MAX_SMALL_MESSAGE_BYTES: usize = 256;
/// Bytes of a fetch reply: its group hashes and the rest.
pub const MAX_FETCH_REPLY_BYTES: usize = MAX_GROUPS * 32 + 64;

// ---- how often ----

/// Join requests of one node in a minute: an honest one asks every 5 seconds.
pub const MAX_JOINS_A_MINUTE: u32 = 60;
/// Runs of a code of one node in a minute: a person types one in ten seconds, and it may meet several that are open.
pub const MAX_CODES_A_MINUTE: u32 = 30;
/// Sync requests of one node in a minute: the pages of some full events at once, and one for each event and minute.
pub const MAX_SYNCS_A_MINUTE: u32 = 600;
/// Pushes of one node in a minute: what a member of many events renews at once.
pub const MAX_PUSHES_A_MINUTE: u32 = 600;
/// Gossiped records that one neighbour passes on in a minute: a full event whose members all write anew, a profile and three find-mes each.
pub const MAX_GOSSIP_A_MINUTE: u32 = 4_000;
/// What one node may ask of a keeper in a minute: a hundred photos put down at once, with the question for room before each.
pub const MAX_KEEPS_A_MINUTE: u32 = 600;
/// What a co-host or their host may ask in a minute: a busy entrance.
pub const MAX_DEPUTIES_A_MINUTE: u32 = 120;
/// Recalls of one node in a minute: somebody asks back or answers one photo after the other.
pub const MAX_RECALLS_A_MINUTE: u32 = 120;
/// Fetch requests of one node in a minute: small photos over a fast line.
pub const MAX_FETCHES_A_MINUTE: u32 = 6_000;
