//! Leaves in, one root hash out, and proofs that a leaf is under it or that a tree only grew.
//!
//! Each leaf is hashed with a 0 before it and each pair of hashes with a 1 before them, so that a
//! leaf can never pass for a node. Source: RFC 9162, section 2.1.

use sha2::{Digest, Sha256};

/// A SHA-256.
pub type Hash = [u8; 32];

/// The hash of a leaf's bytes.
pub fn leaf_hash(data: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(data).finalize().into()
}

/// The hash of two subtrees.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The root of the tree without leaves.
pub fn empty_root() -> Hash {
    Sha256::digest(b"").into()
}

/// A growing tree that keeps the hash of every complete subtree (about 64 bytes per leaf), so that
/// roots and proofs of every size that it ever had take O(log² n) at most.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// `levels[k][i]`: the complete subtree of the `2^k` leaves from `i * 2^k` on.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Adds a leaf by its hash; O(log n), O(1) on average. Returns its index, from 0.
    pub fn append(&mut self, leaf: Hash) -> u64 {
        let index = self.size();
        let mut hash = leaf;
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(hash);
            let row = &self.levels[level];
            if row.len() % 2 == 1 {
                break;
            }
            hash = node_hash(&row[row.len() - 2], &row[row.len() - 1]);
        }
        index
    }

    /// The root of the first `size` leaves; `None` if there are fewer.
    pub fn root_at(&self, size: u64) -> Option<Hash> {
        (size <= self.size()).then(|| self.range(0, size))
    }

    /// The root of all leaves.
    pub fn root(&self) -> Hash {
        self.range(0, self.size())
    }

    /// The hashes that lead from leaf `index` to the root of the first `size` leaves; `None` if
    /// there is no such leaf.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        if index >= size || size > self.size() {
            return None;
        }
        let (mut begin, mut end) = (0, size);
        let mut proof = Vec::new();
        while end - begin > 1 {
            let middle = begin + split(end - begin);
            if index < middle {
                proof.push(self.range(middle, end));
                end = middle;
            } else {
                proof.push(self.range(begin, middle));
                begin = middle;
            }
        }
        proof.reverse();
        Some(proof)
    }

    /// The hashes that show that the first `new` leaves begin with the first `old`; `None` if the
    /// tree is smaller, `old` is 0 or more than `new`.
    pub fn consistency_proof(&self, old: u64, new: u64) -> Option<Vec<Hash>> {
        if old == 0 || old > new || new > self.size() {
            return None;
        }
        let (mut begin, mut end) = (0, new);
        let mut proof = Vec::new();
        while end != old {
            let middle = begin + split(end - begin);
            if old <= middle {
                proof.push(self.range(middle, end));
                end = middle;
            } else {
                proof.push(self.range(begin, middle));
                begin = middle;
            }
        }
        if begin != 0 {
            proof.push(self.range(begin, end));
        }
        proof.reverse();
        Some(proof)
    }

    /// The hash over leaves `begin..end`; `begin` is a multiple of the next power of two.
    fn range(&self, begin: u64, end: u64) -> Hash {
        let leaves = end - begin;
        if leaves == 0 {
            return empty_root();
        }
        if leaves.is_power_of_two() {
            let level = leaves.trailing_zeros();
            return self.levels[level as usize][(begin >> level) as usize];
        }
        let middle = begin + split(leaves);
        node_hash(&self.range(begin, middle), &self.range(middle, end))
    }
}

/// The largest power of two below `leaves` (2 or more).
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// True if `proof` leads from the leaf at `index` to the root of a tree of `size` leaves.
/// Source: RFC 9162, section 2.1.3.2.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut first, mut second) = (index, size - 1);
    let mut hash = *leaf;
    for step in proof {
        if second == 0 {
            return false;
        }
        if first % 2 == 1 || first == second {
            hash = node_hash(step, &hash);
            while first % 2 == 0 && first != 0 {
                (first, second) = (first >> 1, second >> 1);
            }
        } else {
            hash = node_hash(&hash, step);
        }
        (first, second) = (first >> 1, second >> 1);
    }
    second == 0 && hash == *root
}

/// True if `proof` shows that the tree of `new` leaves begins with the tree of `old`.
/// Source: RFC 9162, section 2.1.4.2.
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> bool {
    if old == 0 || old > new {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    // A complete old tree is its own first step.
    let mut steps = old.is_power_of_two().then_some(old_root).into_iter().chain(proof);
    let Some(first) = steps.next() else { return false };
    let (mut last_old, mut last_new) = (old - 1, new - 1);
    while last_old % 2 == 1 {
        (last_old, last_new) = (last_old >> 1, last_new >> 1);
    }
    let (mut from_old, mut from_new) = (*first, *first);
    for step in steps {
        if last_new == 0 {
            return false;
        }
        if last_old % 2 == 1 || last_old == last_new {
            from_old = node_hash(step, &from_old);
            from_new = node_hash(step, &from_new);
            while last_old % 2 == 0 && last_old != 0 {
                (last_old, last_new) = (last_old >> 1, last_new >> 1);
            }
        } else {
            from_new = node_hash(&from_new, step);
        }
        (last_old, last_new) = (last_old >> 1, last_new >> 1);
    }
    last_new == 0 && from_old == *old_root && from_new == *new_root
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAVES: u64 = 130;

    fn data(index: u64) -> Vec<u8> {
        format!("leaf {index}").into_bytes()
    }

    /// RFC 9162's definition, word for word.
    fn naive(leaves: &[Vec<u8>]) -> Hash {
        match leaves {
            [] => Sha256::digest(b"").into(),
            [one] => leaf_hash(one),
            more => {
                let middle = more.len().next_power_of_two() / 2;
                node_hash(&naive(&more[..middle]), &naive(&more[middle..]))
            }
        }
    }

    fn grown(size: u64) -> Tree {
        let mut tree = Tree::new();
        for index in 0..size {
            assert_eq!(tree.append(leaf_hash(&data(index))), index);
        }
        tree
    }

    #[test]
    fn root_of_every_size_is_the_naive_one() {
        let leaves: Vec<_> = (0..LEAVES).map(data).collect();
        let tree = grown(LEAVES);
        for size in 0..=LEAVES {
            let expected = naive(&leaves[..size as usize]);
            assert_eq!(tree.root_at(size), Some(expected));
            assert_eq!(grown(size).root(), expected);
        }
        assert_eq!(tree.root_at(LEAVES + 1), None);
    }

    /// The test vectors that certificate transparency's own code uses.
    #[test]
    fn known_leaves_give_the_known_root() {
        let leaves: [&[u8]; 8] = [
            b"",
            b"\0",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let mut tree = Tree::new();
        for leaf in leaves {
            tree.append(leaf_hash(leaf));
        }
        let root = tree.root();
        let parts = [0..8, 8..16, 16..24, 24..32]
            .map(|range| u64::from_be_bytes(root[range].try_into().unwrap()));
        let known = "5dc9da79a70659a9 ad559cb701ded9a2 ab9d823aad2f4960 cfe370eff4604328";
        let known: Vec<_> = known.split(' ').map(|part| u64::from_str_radix(part, 16)).collect();
        assert_eq!(parts.map(Ok).to_vec(), known);
    }

    #[test]
    fn inclusion_of_every_leaf_in_every_size_is_proved_and_tampering_refused() {
        let tree = grown(LEAVES);
        for size in 1..=LEAVES {
            let root = tree.root_at(size).unwrap();
            for index in 0..size {
                let leaf = leaf_hash(&data(index));
                let proof = tree.inclusion_proof(index, size).unwrap();
                assert!(verify_inclusion(&leaf, index, size, &proof, &root));
                assert!(!verify_inclusion(&leaf_hash(b"other"), index, size, &proof, &root));
                assert!(!verify_inclusion(&leaf, index + 1, size, &proof, &root));
                let mut longer = proof.clone();
                longer.push(root);
                assert!(!verify_inclusion(&leaf, index, size, &longer, &root));
                if let Some((_, shorter)) = proof.split_last() {
                    assert!(!verify_inclusion(&leaf, index, size, shorter, &root));
                }
                for step in 0..proof.len() {
                    let mut bad = proof.clone();
                    bad[step][0] ^= 1;
                    assert!(!verify_inclusion(&leaf, index, size, &bad, &root));
                }
            }
            assert_eq!(tree.inclusion_proof(size, size), None);
        }
    }

    #[test]
    fn growth_between_all_sizes_is_proved_and_rewriting_refused() {
        let tree = grown(LEAVES);
        for new in 1..=LEAVES {
            let new_root = tree.root_at(new).unwrap();
            for old in 1..=new {
                let old_root = tree.root_at(old).unwrap();
                let proof = tree.consistency_proof(old, new).unwrap();
                assert!(verify_consistency(old, new, &old_root, &new_root, &proof));
                let other = leaf_hash(b"other");
                assert!(!verify_consistency(old, new, &other, &new_root, &proof));
                assert!(!verify_consistency(old, new, &old_root, &other, &proof));
                for step in 0..proof.len() {
                    let mut bad = proof.clone();
                    bad[step][31] ^= 0x80;
                    assert!(!verify_consistency(old, new, &old_root, &new_root, &bad));
                }
                let mut longer = proof.clone();
                longer.push(new_root);
                assert!(!verify_consistency(old, new, &old_root, &new_root, &longer));
            }
            assert_eq!(tree.consistency_proof(0, new), None);
        }
    }
}
