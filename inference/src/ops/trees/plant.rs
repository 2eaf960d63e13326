//! From nodes that lead to each other, as a file lists them, to a tree of its own. A chain of `BRANCH_EQ` whose every yes
//! leads to the same node is how exporters of older opsets spell set membership: it becomes one branch.

use crate::trees::{Compare, Node, Real, Test, Tree, Vote};
use std::ops::Range;

/// A node as listed. Children are positions among all listed nodes.
#[derive(Debug, Clone)]
pub(super) enum Listed {
    /// An inner node.
    Branch {
        /// Position in the row.
        feature: u32,
        /// The question.
        test: Test,
        /// Whether NaN counts as yes.
        missing_tracks_true: bool,
        /// Where yes leads.
        yes: usize,
        /// Where no leads.
        no: usize,
    },
    /// An end.
    Leaf {
        /// Positions among all votes, in the order of the file.
        votes: Range<usize>,
    },
}

/// Plants tree after tree.
#[derive(Debug, Default)]
pub(super) struct Planter {
    /// The place in the tree of each listed node that has one.
    places: Vec<Option<u32>>,
    /// The listed nodes by place.
    order: Vec<usize>,
}

impl Planter {
    /// The tree that grows from a node. A node that two paths lead to appears once, with two parents: the check of the ensemble
    /// refuses it, and with it every cycle.
    pub(super) fn tree(&mut self, nodes: &[Listed], votes: &[Vote], root: usize) -> Tree {
        self.places.resize(nodes.len().max(self.places.len()), None);
        self.place(root);
        let mut grown = vec![];
        while let Some(listed) = self.order.get(grown.len()).copied() {
            grown.push(match &nodes[listed] {
                Listed::Branch { .. } => self.branch(nodes, listed),
                Listed::Leaf { votes: own } => Node::Leaf { votes: votes[own.clone()].to_vec() },
            });
        }
        grown.shrink_to_fit();
        self.order.drain(..).for_each(|listed| self.places[listed] = None);
        Tree { root: 0, nodes: grown }
    }

    fn place(&mut self, listed: usize) -> u32 {
        let next = self.order.len() as u32;
        *self.places[listed].get_or_insert_with(|| {
            self.order.push(listed);
            next
        })
    }

    fn branch(&mut self, nodes: &[Listed], listed: usize) -> Node {
        let chain = Chain::from(nodes, listed);
        let test = match chain.members.as_slice() {
            [] | [_] => chain.first.clone(),
            members => Test::Member(members.to_vec()),
        };
        Node::Branch {
            feature: chain.feature,
            test,
            missing_tracks_true: chain.missing_tracks_true,
            yes: self.place(chain.yes),
            no: self.place(chain.no),
        }
    }
}

/// A branch, with those on its no that ask whether the same feature equals another value and lead to the same yes.
struct Chain {
    feature: u32,
    first: Test,
    members: Vec<Real>,
    missing_tracks_true: bool,
    yes: usize,
    no: usize,
}

impl Chain {
    fn from(nodes: &[Listed], listed: usize) -> Self {
        let mut chain: Option<Self> = None;
        let mut at = listed;
        // A ring of no's ends with the last node: a chain is no longer than the list.
        for _ in 0..nodes.len() {
            let Some(Listed::Branch { feature, test, missing_tracks_true, yes, no }) = nodes.get(at) else { break };
            let member = match test {
                Test::Threshold(Compare::Eq, value) => Some(*value),
                _ => None,
            };
            match (&mut chain, member) {
                (None, _) => {
                    chain = Some(Self {
                        feature: *feature,
                        first: test.clone(),
                        members: member.into_iter().collect(),
                        missing_tracks_true: *missing_tracks_true,
                        yes: *yes,
                        no: *no,
                    });
                }
                (Some(chain), Some(value)) if chain.feature == *feature && chain.yes == *yes => {
                    chain.members.push(value);
                    chain.missing_tracks_true |= missing_tracks_true;
                    chain.no = *no;
                }
                _ => break,
            }
            match &chain {
                Some(chain) if !chain.members.is_empty() => at = chain.no,
                _ => break,
            }
        }
        chain.unwrap_or(Self {
            feature: 0,
            first: Test::Member(vec![]),
            members: vec![],
            missing_tracks_true: false,
            yes: listed,
            no: listed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trees::{Aggregate, Draft, Precision};

    fn eq(value: f64, yes: usize, no: usize) -> Listed {
        let test = Test::Threshold(Compare::Eq, Real(value));
        Listed::Branch { feature: 0, test, missing_tracks_true: false, yes, no }
    }

    fn leaf() -> Listed {
        Listed::Leaf { votes: 0..0 }
    }

    #[test]
    fn a_chain_of_equals_becomes_one_question() {
        let listed = [eq(1.0, 3, 1), eq(2.0, 3, 2), eq(4.0, 3, 4), leaf(), leaf()];
        let tree = Planter::default().tree(&listed, &[], 0);
        let members = vec![Real(1.0), Real(2.0), Real(4.0)];
        let branch =
            Node::Branch { feature: 0, test: Test::Member(members), missing_tracks_true: false, yes: 1, no: 2 };
        assert_eq!(tree.nodes, [branch, Node::Leaf { votes: vec![] }, Node::Leaf { votes: vec![] }]);
    }

    #[test]
    fn a_ring_ends_and_is_refused() {
        let ring = Planter::default().tree(&[eq(1.0, 2, 1), eq(2.0, 2, 0), leaf()], &[], 0);
        let draft = Draft {
            width: 1,
            targets: 1,
            precision: Precision::Single,
            aggregate: Aggregate::Sum,
            base: vec![],
            trees: vec![ring].into(),
        };
        assert!(draft.check().is_err());
    }
}
