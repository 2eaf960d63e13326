//! The nodes of a log's tree, out of its tiles and newest segments: proofs that one size is the beginning of another. Believes no row: whoever asks holds the answer against heads that were signed.

use crate::error::Error;
use crate::store::{self, hash};
use audit_log::{Hash, Node, Tree, join_subtrees, proof_nodes};
use std::collections::HashMap;
use tokio_postgres::GenericClient;

/// A log's tree as one snapshot of the database holds it.
pub(crate) struct Nodes<'a, C> {
    client: &'a C,
    log: i32,
    tree: Tree,
    /// Tiles that were asked for, by level and index.
    tiles: HashMap<(u32, u64), Vec<Hash>>,
}

impl<'a, C: GenericClient> Nodes<'a, C> {
    /// Reads the right edge, which is proven against the log's head. `client` must show one snapshot.
    pub async fn load(client: &'a C, log: i32) -> Result<Self, Error> {
        let tree = store::load_tree(client, log).await?;
        Ok(Self { client, log, tree, tiles: HashMap::new() })
    }

    /// Entries of the log.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Root of the whole tree.
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// The proof from a size to a later one, up to the present.
    pub async fn proof(&mut self, old: u64, new: u64) -> Result<Vec<Hash>, Error> {
        let mut proof = Vec::new();
        for nodes in proof_nodes(old, new) {
            proof.push(self.join(&nodes).await?);
        }
        Ok(proof)
    }

    async fn join(&mut self, nodes: &[Node]) -> Result<Hash, Error> {
        let mut hashes = Vec::with_capacity(nodes.len());
        for node in nodes {
            hashes.push(self.node(node).await?);
        }
        join_subtrees(&hashes).ok_or_else(|| self.broken("no node to make a root of"))
    }

    async fn node(&mut self, node: &Node) -> Result<Hash, Error> {
        let (level, size) = (node.tile_level(), self.size());
        let held = match node.is_in_complete_tile(size) {
            true => self.tile(level, node.tile_index()).await?,
            false => self.tree.edge(level as usize),
        };
        let hash = node.hash_in(held);
        hash.ok_or_else(|| self.broken("a node is missing"))
    }

    async fn tile(&mut self, level: u32, index: u64) -> Result<&[Hash], Error> {
        if !self.tiles.contains_key(&(level, index)) {
            let query = "SELECT hashes FROM defaultx.audit_tiles WHERE log = $1 AND level = $2 AND index = $3";
            let row = self.client.query_opt(query, &[&self.log, &(level as i16), &(index as i64)]).await?;
            let hashes: Vec<u8> = row.ok_or_else(|| self.broken("a tile is missing"))?.get(0);
            let hashes = hashes.chunks(size_of::<Hash>()).filter_map(hash).collect();
            self.tiles.insert((level, index), hashes);
        }
        Ok(self.tiles.get(&(level, index)).map_or(&[], Vec::as_slice))
    }

    fn broken(&self, why: &str) -> Error {
        Error::Broken { log: self.log, why: why.to_owned() }
    }
}
