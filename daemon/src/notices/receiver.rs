//! One HTTP POST to the address that the owner named.

use serde::Serialize;
use ureq::http::{StatusCode, Uri};
use zeroize::Zeroizing;

use crate::limits::{MAX_NOTICE_ADDRESS_BYTES, MAX_NOTICE_TOKEN_BYTES, NOTICE_ANSWER_TIMEOUT};
use crate::outward::{NotAllowed, Outward, Patience};
use crate::settings::{NoticeForm, NoticeKind, NoticeReceiver};

/// A redirect is an answer like any other that is not "taken": nothing is sent to where it points.
const PATIENCE: Patience = Patience { answer: NOTICE_ANSWER_TIMEOUT, body: NOTICE_ANSWER_TIMEOUT, redirects: 0 };

/// Why a receiver cannot be used; says what to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReceiver {
    /// No address that may be used.
    #[error(transparent)]
    Address(#[from] NotAllowed),
    /// Too long.
    #[error("the address is too long; {MAX_NOTICE_ADDRESS_BYTES} characters are the most")]
    TooLong,
    /// Holds a password.
    #[error("leave the name and password out of the address, which is shown in the settings, and give a token instead")]
    Password,
    /// An ntfy address without its topic.
    #[error("the address of an ntfy topic ends in the topic, as in https://ntfy.example.org/my-topic")]
    NoTopic,
    /// No token that fits into a header.
    #[error(
        "the token is one word of letters, digits and signs, {MAX_NOTICE_TOKEN_BYTES} at most; leave it out if none is asked for"
    )]
    Token,
}

/// Why a receiver did not take a notice, in words for the owner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// It wants a token, or another one.
    #[error("it answered {0}: the token is missing or is not the right one")]
    Token(u16),
    /// It points elsewhere.
    #[error(
        "it answered {0} and points to another address, where nothing is sent; name that address if it is the right one"
    )]
    Elsewhere(u16),
    /// Nothing is there.
    #[error("it answered {0}: there is nothing that takes notices at this address; look whether all of it is right")]
    Nothing(u16),
    /// It is asked too much.
    #[error("it answered {0}: it takes no more for the moment")]
    TooMany(u16),
    /// It has a problem of its own.
    #[error("it answered {0}: it has a problem of its own")]
    ItsProblem(u16),
    /// It did not like what it got.
    #[error("it answered {0}: it does not understand what it was sent; is the form the right one?")]
    NotUnderstood(u16),
    /// Nobody by that name.
    #[error("no machine of this name was found, or this device has no way to the internet just now")]
    NoSuchHost,
    /// Nobody answers.
    #[error("nobody answers there")]
    NobodyThere,
    /// Too slow.
    #[error("it did not answer within some seconds")]
    TooSlow,
    /// The connection is not safe.
    #[error("a safe connection to it was not possible: {0}")]
    Unsafe(String),
    /// Something else.
    #[error("it could not be reached: {0}")]
    Other(String),
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Word of its kind; `test` for a trial.
    pub kind: &'static str,
    /// A few fixed words.
    pub title: &'static str,
    /// A sentence.
    pub text: String,
    /// How many things it is about.
    pub count: u64,
    /// When, Unix milliseconds.
    pub at: u64,
}

impl Message {
    /// A notice.
    #[must_use]
    pub fn new(kind: NoticeKind, text: String, count: u64, at: u64) -> Self {
        Self { kind: kind.word(), title: kind.title(), text, count, at }
    }

    /// What is sent to see whether it arrives.
    #[must_use]
    pub fn test(at: u64) -> Self {
        let text = "If you can read this, notices of your Inframe arrive here.".to_owned();
        Self { kind: "test", title: "A test", text, count: 1, at }
    }

    /// A picture beside it, by the short names of ntfy.
    fn tag(&self) -> &'static str {
        match NoticeKind::from_word(self.kind) {
            Some(NoticeKind::Photos) => "framed_picture",
            Some(NoticeKind::Requests) => "question",
            Some(NoticeKind::Suspicious) => "warning",
            Some(NoticeKind::SignIns) => "key",
            Some(NoticeKind::ConsentTexts) => "page_facing_up",
            None => "bell",
        }
    }

    fn priority(&self) -> &'static str {
        if NoticeKind::from_word(self.kind) == Some(NoticeKind::Suspicious) { "high" } else { "default" }
    }
}

/// Where notices go, ready to be used.
pub struct Receiver {
    outward: Outward,
    form: NoticeForm,
    token: Option<Zeroizing<String>>,
}

impl Receiver {
    /// Looks whether it can be used.
    ///
    /// # Errors
    /// When not, with what to change.
    pub fn new(named: &NoticeReceiver) -> Result<Self, BadReceiver> {
        if named.address.len() > MAX_NOTICE_ADDRESS_BYTES {
            return Err(BadReceiver::TooLong);
        }
        let outward = Outward::new(&named.address, named.insecure, PATIENCE)?;
        let uri: Uri = named.address.parse().map_err(|_| NotAllowed)?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(BadReceiver::Password);
        }
        if named.form == NoticeForm::Ntfy && uri.path().trim_matches('/').is_empty() {
            return Err(BadReceiver::NoTopic);
        }
        let fits = |token: &String| {
            (1..=MAX_NOTICE_TOKEN_BYTES).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if !named.token.as_ref().is_none_or(fits) {
            return Err(BadReceiver::Token);
        }
        Ok(Self { outward, form: named.form, token: named.token.clone().map(Zeroizing::new) })
    }

    /// The machine that it is on.
    #[must_use]
    pub fn host(&self) -> &str {
        self.outward.host()
    }

    /// Sends one message; blocking, for some seconds at most.
    ///
    /// # Errors
    /// When it was not taken, with the reason.
    pub fn send(&self, message: &Message) -> Result<(), NotTaken> {
        let mut request = self.outward.agent().post(self.outward.address());
        if let Some(token) = &self.token {
            let bearer = Zeroizing::new(format!("Bearer {}", token.as_str()));
            request = request.header("Authorization", bearer.as_str());
        }
        let sent = match self.form {
            NoticeForm::Ntfy => request
                .header("Title", message.title)
                .header("Tags", message.tag())
                .header("Priority", message.priority())
                .content_type("text/plain; charset=utf-8")
                .send(message.text.as_str()),
            NoticeForm::Webhook => {
                let json = serde_json::to_string(message).map_err(|error| NotTaken::Other(error.to_string()))?;
                request.content_type("application/json").send(json)
            }
        };
        // What it says beside its status is nobody's business here, and is not read.
        sent.map_err(|error| unreached(&error)).and_then(|answer| judged(answer.status()))
    }
}

fn judged(status: StatusCode) -> Result<(), NotTaken> {
    let code = status.as_u16();
    Err(match code {
        200..=299 => return Ok(()),
        300..=399 => NotTaken::Elsewhere(code),
        401 | 403 => NotTaken::Token(code),
        404 | 405 | 410 => NotTaken::Nothing(code),
        429 => NotTaken::TooMany(code),
        500.. => NotTaken::ItsProblem(code),
        _ => NotTaken::NotUnderstood(code),
    })
}

fn unreached(error: &ureq::Error) -> NotTaken {
    use std::io::ErrorKind;
    match error {
        ureq::Error::HostNotFound => NotTaken::NoSuchHost,
        ureq::Error::ConnectionFailed => NotTaken::NobodyThere,
        ureq::Error::Timeout(_) => NotTaken::TooSlow,
        ureq::Error::Io(error) => match error.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::HostUnreachable => {
                NotTaken::NobodyThere
            }
            ErrorKind::TimedOut | ErrorKind::WouldBlock => NotTaken::TooSlow,
            _ => NotTaken::Other(error.to_string()),
        },
        ureq::Error::Rustls(error) => NotTaken::Unsafe(error.to_string()),
        ureq::Error::Tls(error) => NotTaken::Unsafe((*error).to_owned()),
        other => NotTaken::Other(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn named(form: NoticeForm, address: &str) -> NoticeReceiver {
        NoticeReceiver { form, address: address.into(), insecure: false, token: None, names: false }
    }

    /// Answers one request with `answer`; gives the address and, at the end, what was asked.
    fn server(answer: &'static str) -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/topic", listener.local_addr().unwrap());
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut piece = [0; 4096];
            loop {
                let text = String::from_utf8_lossy(&asked).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let length = head
                        .lines()
                        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                    if length.is_none_or(|length: usize| body.len() >= length) {
                        stream.write_all(answer.as_bytes()).unwrap();
                        return text;
                    }
                }
                let got = stream.read(&mut piece).unwrap();
                asked.extend_from_slice(&piece[..got]);
            }
        });
        (address, served)
    }

    #[test]
    fn d6_what_can_be_a_receiver() {
        let tried = |form, address: &str| Receiver::new(&named(form, address)).map(drop);
        assert_eq!(tried(NoticeForm::Ntfy, "https://ntfy.example.org/photos"), Ok(()));
        assert_eq!(tried(NoticeForm::Webhook, "http://127.0.0.1:8123/api/webhook/x"), Ok(()));
        assert_eq!(tried(NoticeForm::Webhook, "https://example.org"), Ok(()));
        assert_eq!(tried(NoticeForm::Ntfy, "https://ntfy.example.org/"), Err(BadReceiver::NoTopic));
        assert_eq!(tried(NoticeForm::Webhook, "http://example.org/x"), Err(BadReceiver::Address(NotAllowed)));
        assert_eq!(tried(NoticeForm::Webhook, "https://me:secret@example.org/x"), Err(BadReceiver::Password));
        assert_eq!(
            tried(NoticeForm::Webhook, &format!("https://example.org/{}", "x".repeat(600))),
            Err(BadReceiver::TooLong)
        );
        let insecure = NoticeReceiver { insecure: true, ..named(NoticeForm::Webhook, "http://example.org/x") };
        assert!(Receiver::new(&insecure).is_ok());
        for token in ["", "two words", "line\nbreak", "naïve"] {
            let with =
                NoticeReceiver { token: Some(token.into()), ..named(NoticeForm::Webhook, "https://example.org/x") };
            assert_eq!(Receiver::new(&with).map(drop), Err(BadReceiver::Token), "{token:?}");
        }
    }

    #[test]
    fn ntfy_gets_a_text_with_headers_and_its_token() {
        let (address, served) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        let named = NoticeReceiver { token: Some("tk_abc".into()), ..named(NoticeForm::Ntfy, &address) };
        let message = Message::new(NoticeKind::Suspicious, "1 warning is in your activity log".into(), 1, 7);
        Receiver::new(&named).unwrap().send(&message).unwrap();
        let asked = served.join().unwrap().to_lowercase();
        assert!(asked.starts_with("post /topic http/1.1\r\n"), "{asked}");
        for line in
            ["title: something looks suspicious", "tags: warning", "priority: high", "authorization: bearer tk_abc"]
        {
            assert!(asked.contains(&format!("{line}\r\n")), "{line} is not in {asked}");
        }
        assert!(
            asked.ends_with("\r\n\r\n1 warning is in your activity log") && !asked.contains("user-agent"),
            "{asked}"
        );
    }

    #[test]
    fn a_webhook_gets_json() {
        let (address, served) = server("HTTP/1.1 204 No Content\r\n\r\n");
        let message = Message::new(NoticeKind::Photos, "2 new photos of you".into(), 2, 7);
        Receiver::new(&named(NoticeForm::Webhook, &address)).unwrap().send(&message).unwrap();
        let asked = served.join().unwrap();
        let body: serde_json::Value = serde_json::from_str(asked.split_once("\r\n\r\n").unwrap().1).unwrap();
        let expected = serde_json::json!({ "kind": "photos", "title": "New photos of you", "text": "2 new photos of you", "count": 2, "at": 7 });
        assert_eq!(body, expected);
        assert!(!asked.to_lowercase().contains("authorization"));
    }

    #[test]
    fn d6_a_redirect_is_not_followed_and_each_refusal_has_its_words() {
        let message = Message::test(7);
        let (elsewhere, _never_asked) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        let answer: &'static str = Box::leak(
            format!("HTTP/1.1 307 Moved\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\r\n").into_boxed_str(),
        );
        let (address, _) = server(answer);
        let sent = Receiver::new(&named(NoticeForm::Webhook, &address)).unwrap().send(&message);
        assert_eq!(sent, Err(NotTaken::Elsewhere(307)));
        let (address, _) = server("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
        let sent = Receiver::new(&named(NoticeForm::Ntfy, &address)).unwrap().send(&message);
        assert!(sent.unwrap_err().to_string().contains("token"));
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let sent = Receiver::new(&named(NoticeForm::Webhook, &format!("http://{nobody}/"))).unwrap().send(&message);
        assert_eq!(sent, Err(NotTaken::NobodyThere));
        for (code, kind) in
            [(404, NotTaken::Nothing(404)), (429, NotTaken::TooMany(429)), (503, NotTaken::ItsProblem(503))]
        {
            assert_eq!(judged(StatusCode::from_u16(code).unwrap()), Err(kind));
        }
    }
}
