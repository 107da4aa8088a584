"""Byte strings in, one root hash and proofs out: a tree that only grows (RFC 9162, section 2.1).

`MerkleTree()` takes leaves with `append(data)`, which returns the leaf's index from 0; `len(tree)`
counts them. `root(size=None)` is the SHA-256 root of the first `size` leaves.
`inclusion_proof(index, size)` shows that a leaf is in the tree of `size` leaves,
`consistency_proof(old, new)` that the tree of `new` leaves begins with the tree of `old`; both are
lists of 32-byte hashes of logarithmic length, and raise ValueError for leaves that are not there.
`merkle_leaf(data)` is a leaf's hash; `verify_inclusion` and `verify_consistency` check proofs and
need no tree.

Example:
    >>> tree = MerkleTree()
    >>> [tree.append(data) for data in (b"a", b"b", b"c")]
    [0, 1, 2]
    >>> proof = tree.inclusion_proof(1, 3)
    >>> verify_inclusion(merkle_leaf(b"b"), 1, 3, proof, tree.root())
    True
    >>> verify_inclusion(merkle_leaf(b"x"), 1, 3, proof, tree.root())
    False
    >>> verify_consistency(2, 3, tree.root(2), tree.root(), tree.consistency_proof(2, 3))
    True
"""

from prunella._core import MerkleTree, merkle_leaf, verify_consistency, verify_inclusion

__all__ = ["MerkleTree", "merkle_leaf", "verify_consistency", "verify_inclusion"]
