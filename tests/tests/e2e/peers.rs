//! Addresses of other nodes that the owner types: what is wrong with one is said.

use anyhow::{Context, Result};
use inframe_tests::api::refusal;
use inframe_tests::cli;
use inframe_tests::daemon::Daemon;

#[tokio::test]
async fn a_wrong_address_is_refused_with_the_reason() -> Result<()> {
    let (node, other) = tokio::try_join!(Daemon::start("Node"), Daemon::start("Other"))?;
    let address_of = |node: &Daemon| node.ready().p2p.first().cloned().context("no address");
    let (own, strange) = (address_of(&node)?, address_of(&other)?);
    for (address, status, kind, word) in [
        ("192.168.1.20:7412", 422, "bad-address", "/ip4/"),
        ("/ip4/192.168.1.20/tcp/7412", 422, "bad-address", "/p2p/"),
        ("/dns4/example.com/tcp/7412", 422, "bad-address", "/tcp/"),
        (own.as_str(), 422, "own-address", "itself"),
        (strange.as_str(), 409, "no-common-event", "invite"),
    ] {
        let refused = refusal(node.api().add_peer(address).await)?;
        assert_eq!(refused.status, status, "{address}: {refused}");
        assert!(refused.kind.ends_with(kind) && refused.detail.contains(word), "{address}: {refused}");
    }
    assert!(node.api().peers().await?.is_empty(), "nobody was dialled");
    let typed = cli::typed(&node, &["peers", "--add", "nonsense"], &[])?;
    assert!(!typed.status.success() && cli::said(&typed).contains("no address of a node"), "{}", cli::said(&typed));
    Ok(())
}
