//! An address that the owner types leads where neither multicast nor what the nodes know of each other does.

use anyhow::Result;
use inframe_tests::api::refusal;
use inframe_tests::cli;
use inframe_tests::lan::Lan;
use inframe_tests::scene::gather_on;

use super::meet::{BACK, all_see_all, ids, renumber_all};

#[tokio::test]
async fn a_typed_address_connects_two_subnets_when_all_known_ones_are_wrong() -> Result<()> {
    if !Lan::is_possible("a typed address")? {
        return Ok(());
    }
    let mut lan = Lan::subnets(&[1, 1])?;
    let (mut nodes, _) = gather_on(&lan, 2).await?;
    let ids = ids(&nodes).await?;
    all_see_all(&nodes, &ids, BACK).await?;
    renumber_all(&mut lan, &mut nodes).await?;
    let host = format!("/ip4/{}/tcp/7412/p2p/{}", lan.address(0)?, ids[0]);

    // Where nobody is, the answer says so, and the right one works all the same.
    let nobody = host.replace("/7412/", "/7413/");
    let refused = refusal(nodes[1].api().add_peer(&nobody).await)?;
    assert_eq!((refused.status, refused.kind.ends_with("unreachable")), (409, true), "{refused}");
    assert!(nodes[1].api().peers().await?.iter().all(|peer| !peer.connected), "nothing else led there");

    let said = cli::answer(&nodes[1], &["peers", "--add", &host])?;
    assert!(said.lines().any(|line| line.contains(&ids[0]) && line.contains("connected")), "{said}");
    all_see_all(&nodes, &ids, BACK).await
}
