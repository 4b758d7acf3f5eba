//! Somebody on the local network makes up nodes by the thousand: it costs little, and real ones are found all the same.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use inframe_tests::lan::Lan;
use inframe_tests::scene::{SOON, gather_on};
use inframe_tests::wait::{Seen, wait_until};

use super::meet::{BACK, all_see_all, ids};

/// Where the helpers below send from; they are no tests without this.
const FORGE_FROM: &str = "INFRAME_TEST_FORGE_FROM";
/// Whose answer the second one waits for.
const ASK_FOR: &str = "INFRAME_TEST_ASK_FOR";
/// Where everybody on a network hears such packets.
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const PORT: u16 = 5353;
/// Three times what is listened to.
const FORGED: u32 = 3000;
/// Packets that a receiving socket holds for sure.
const BURST: u32 = 20;

#[tokio::test]
async fn d7_made_up_nodes_by_the_thousand_do_not_hide_a_real_one() -> Result<()> {
    if !Lan::is_possible("a flood of announcements")? {
        return Ok(());
    }
    let mut lan = Lan::bridge(3)?;
    let (mut nodes, _) = gather_on(&lan, 2).await?;
    let ids = ids(&nodes).await?;
    for node in &mut nodes {
        node.stop().await?;
    }
    lan.renumber(0, 100)?;
    lan.renumber(1, 101)?;
    nodes[0].restart().await?;

    help(&lan, "flood::forger").await?;
    // The only trace of it that there is: nothing else changes for the owner.
    wait_until("the flood to be noticed", SOON, async || {
        let log = nodes[0].log()?;
        Ok(Seen::when(log.contains("made-up nodes").then_some(()), || "not in the log".to_owned()))
    })
    .await?;

    // Deaf for a while, then it says again where it is, and hears of others.
    help(&lan, "flood::asker").await?;
    nodes[1].restart().await?;
    all_see_all(&nodes, &ids, BACK).await
}

/// Runs one of the helpers on the third host.
async fn help(lan: &Lan, helper: &str) -> Result<()> {
    let mut command = lan.command(2, &std::env::current_exe()?);
    command.args(["--ignored", "--exact", helper]);
    command.env(FORGE_FROM, lan.address(2)?.to_string()).env(ASK_FOR, lan.address(0)?.to_string());
    let done = tokio::process::Command::from(command).output().await?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    Ok(())
}

#[test]
#[ignore = "a helper: the test above runs it on a host of its network"]
fn forger() -> Result<()> {
    let from = std::env::var(FORGE_FROM).context("to be run by the test only")?;
    let socket = UdpSocket::bind((from.as_str(), 0))?;
    for number in 0..FORGED {
        socket.send_to(&announcement(number, &from), (GROUP, PORT))?;
        if number % BURST == 0 {
            // The receiver must not lose them.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    Ok(())
}

#[test]
#[ignore = "a helper: the test above runs it on a host of its network"]
fn asker() -> Result<()> {
    let own: Ipv4Addr = std::env::var(FORGE_FROM).context("to be run by the test only")?.parse()?;
    let wanted = format!("dnsaddr=/ip4/{}/", std::env::var(ASK_FOR)?);
    let sending = UdpSocket::bind((own, 0))?;
    let heard = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT))?;
    heard.join_multicast_v4(&GROUP, &own)?;
    heard.set_read_timeout(Some(Duration::from_millis(500)))?;
    let mut question = [0_u16, 0, 1, 0, 0, 0].map(u16::to_be_bytes).concat();
    question.extend(service());
    question.extend([0, 12, 0, 1]);
    let (start, mut packet) = (Instant::now(), [0; 4096]);
    while start.elapsed() < BACK {
        sending.send_to(&question, (GROUP, PORT))?;
        // No answer in time is an error as well.
        while let Ok(length) = heard.recv(&mut packet) {
            if packet[..length].windows(wanted.len()).any(|part| part == wanted.as_bytes()) {
                return Ok(());
            }
            if start.elapsed() > BACK {
                break;
            }
        }
    }
    anyhow::bail!("nobody answers with {wanted}")
}

fn service() -> Vec<u8> {
    name(&["_p2p", "_udp", "local"].map(str::to_owned))
}

/// An answer to nobody's question, as libp2p writes it: a name for the service, and for the name a text with an address.
fn announcement(number: u32, from: &str) -> Vec<u8> {
    let name = name(&[format!("n{number}")]);
    let text = format!("dnsaddr=/ip4/{from}/tcp/1/p2p/{}", made_up_id(number));
    // An answer (0x8400) with no question, one answer, one additional record.
    let mut packet = [0, 0x8400, 0, 1, 0, 1].map(u16::to_be_bytes).concat();
    packet.extend(record(&service(), [0, 12, 0, 1], &name));
    let text = [&[text.len() as u8], text.as_bytes()].concat();
    packet.extend(record(&name, [0, 16, 0x80, 1], &text));
    packet
}

fn record(name: &[u8], kind_and_class: [u8; 4], content: &[u8]) -> Vec<u8> {
    let lives = 3600_u32.to_be_bytes();
    [name, &kind_and_class, &lives, &(content.len() as u16).to_be_bytes(), content].concat()
}

fn name(labels: &[String]) -> Vec<u8> {
    let labels = labels.iter().flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat());
    labels.chain([0]).collect()
}

/// The id of an Ed25519 key that nobody has: a multihash of the kind "identity", in base58.
fn made_up_id(number: u32) -> String {
    const DIGITS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let key = blake3::hash(&number.to_le_bytes());
    let bytes = [&[0x00, 0x24, 0x08, 0x01, 0x12, 0x20], key.as_bytes().as_slice()].concat();
    let mut digits: Vec<u32> = Vec::new();
    for byte in &bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += *digit << 8;
            *digit = carry % 58;
            carry /= 58;
        }
        while carry > 0 {
            digits.push(carry % 58);
            carry /= 58;
        }
    }
    let zeros = bytes.iter().take_while(|byte| **byte == 0).map(|_| '1');
    zeros.chain(digits.iter().rev().map(|digit| char::from(DIGITS[*digit as usize]))).collect()
}
