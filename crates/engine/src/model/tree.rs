//! A row of features in; the sums of the leaves that it falls into, one per tree and target, out.
//!
//! The gap between a tree ensemble in a library and in the processor is waiting: each step down a
//! tree loads a node, then a feature, then decides. So eight trees go down together, step by step,
//! and wait at the same time. Shallow trees are complete: node `i` has its children at `2i + 1` and
//! `2i + 2`, so that a step is arithmetic on the comparison's result, without a branch to mispredict
//! or a pointer to load. Trees that are too deep for that keep an explicit child.
//!
//! Every comparison is brought to `x <= threshold`: `<` by the next smaller threshold, `>=` and `>`
//! by swapped children, `==` by two nodes. Rejected: the bit vectors of `QuickScorer` (C. Lucchese
//! et al., SIGIR 2015), which compare a row with every node of every tree: ten times the work at
//! this size of one row.

/// Trees that go down together.
const LANES: usize = 8;
/// Deepest tree that is made complete: 255 nodes, two kilobytes.
const COMPLETE_DEPTH_MAX: u32 = 8;
/// The top bit of a node's feature: a missing value goes left.
const MISSING_LEFT: u32 = 1 << 31;

/// A tree as it is read, before it is laid out.
#[derive(Clone, Debug)]
pub enum Tree {
    /// Where the row ends up: an index into the table of leaves.
    Leaf(usize),
    /// A question.
    Split {
        /// Which feature.
        feature: u32,
        /// `x <= threshold` goes left.
        threshold: f32,
        /// Whether a missing value goes left too.
        is_missing_left: bool,
        /// Where a yes leads.
        left: Box<Tree>,
        /// Where a no leads.
        right: Box<Tree>,
    },
}

impl Tree {
    fn depth(&self) -> u32 {
        match self {
            Self::Leaf(_) => 0,
            Self::Split { left, right, .. } => 1 + left.depth().max(right.depth()),
        }
    }
}

/// A question of a complete tree.
#[derive(Copy, Clone, Debug)]
struct Node {
    threshold: f32,
    feature: u32,
}

/// A question, or a leaf that leads to itself, of a deep tree.
#[derive(Copy, Clone, Debug)]
struct Linked {
    threshold: f32,
    feature: u32,
    /// The yes child; the no child comes after it.
    left: u32,
    leaf: u32,
}

/// Complete trees of one depth.
#[derive(Clone, Debug)]
struct Block {
    depth: u32,
    /// `LANES` times `2^depth − 1` nodes.
    nodes: Vec<Node>,
    /// `LANES` times `2^depth` positions in `values`.
    leaves: Vec<u32>,
}

/// What the trees of an ensemble add up to.
#[derive(Clone, Debug)]
pub struct Forest {
    features: usize,
    targets: usize,
    blocks: Vec<Block>,
    deep: Vec<Linked>,
    /// Root and depth of each deep tree.
    roots: Vec<(u32, u32)>,
    /// Per leaf either all targets, or one value when `single` says which target.
    values: Vec<f32>,
    /// Per leaf: its only target; empty when leaves have a value for every target.
    single: Vec<u32>,
    has_missing_left: bool,
}

impl Forest {
    /// Lays out trees. `leaves` lists for each leaf its targets with their values.
    ///
    /// The caller has checked that features and targets are in range and that no tree is deeper
    /// than some hundreds.
    pub fn new(
        features: usize,
        targets: usize,
        trees: &[Tree],
        leaves: &[Vec<(usize, f32)>],
    ) -> Self {
        let is_single = leaves.iter().all(|leaf| leaf.len() <= 1);
        let (mut values, mut single) = (Vec::new(), Vec::new());
        for leaf in leaves {
            if is_single {
                let (target, value) = leaf.first().copied().unwrap_or((0, 0.0));
                single.push(target as u32);
                values.push(value);
            } else {
                let start = values.len();
                values.resize(start + targets, 0.0);
                for &(target, value) in leaf {
                    values[start + target] += value;
                }
            }
        }
        let mut forest = Self {
            features,
            targets,
            blocks: Vec::new(),
            deep: Vec::new(),
            roots: Vec::new(),
            values,
            single,
            has_missing_left: false,
        };
        // A filler for the last block's empty lanes: a leaf that is worth nothing.
        let nothing = Tree::Leaf(leaves.len());
        forest.values.resize(forest.values.len() + forest.leaf_width(), 0.0);
        if is_single {
            forest.single.push(0);
        }
        let (shallow, deep): (Vec<&Tree>, Vec<&Tree>) =
            trees.iter().partition(|tree| tree.depth() <= COMPLETE_DEPTH_MAX);
        for some in shallow.chunks(LANES) {
            forest.add_block(some, &nothing);
        }
        for tree in deep {
            forest.add_deep(tree);
        }
        forest
    }

    fn leaf_width(&self) -> usize {
        if self.single.is_empty() { self.targets } else { 1 }
    }

    fn add_block(&mut self, trees: &[&Tree], filler: &Tree) {
        let depth = trees.iter().map(|tree| tree.depth()).max().unwrap_or(0);
        let count = 1_usize << depth;
        let anywhere = Node { threshold: f32::INFINITY, feature: self.features as u32 };
        let mut block = Block {
            depth,
            nodes: vec![anywhere; LANES * (count - 1)],
            leaves: vec![0; LANES * count],
        };
        for lane in 0..LANES {
            let tree = trees.get(lane).copied().unwrap_or(filler);
            self.fill(&mut block, lane, 0, 0, tree);
        }
        self.blocks.push(block);
    }

    /// Writes a subtree at position `at` of a complete tree; a leaf above the bottom goes down left.
    fn fill(&mut self, block: &mut Block, lane: usize, at: usize, level: u32, tree: &Tree) {
        let count = 1_usize << block.depth;
        if level == block.depth {
            if let Tree::Leaf(leaf) = tree {
                let index = leaf * self.leaf_width();
                block.leaves[lane * count + at - (count - 1)] = index as u32;
            }
            return;
        }
        match tree {
            Tree::Leaf(_) => {
                // Both ways: a row that is not a number would otherwise fall off the path.
                self.fill(block, lane, 2 * at + 1, level + 1, tree);
                self.fill(block, lane, 2 * at + 2, level + 1, tree);
            }
            Tree::Split { feature, threshold, is_missing_left, left, right } => {
                block.nodes[lane * (count - 1) + at] = Node {
                    threshold: *threshold,
                    feature: self.marked(*feature, *is_missing_left),
                };
                self.fill(block, lane, 2 * at + 1, level + 1, left);
                self.fill(block, lane, 2 * at + 2, level + 1, right);
            }
        }
    }

    fn marked(&mut self, feature: u32, is_missing_left: bool) -> u32 {
        self.has_missing_left |= is_missing_left;
        if is_missing_left { feature | MISSING_LEFT } else { feature }
    }

    fn add_deep(&mut self, tree: &Tree) {
        let root = self.deep.len() as u32;
        self.deep.push(self.stop(0, root));
        self.link(root as usize, tree);
        self.roots.push((root, tree.depth()));
    }

    /// A leaf of a deep tree: its own left child, reached from itself by every value.
    fn stop(&self, leaf: u32, at: u32) -> Linked {
        Linked { threshold: f32::INFINITY, feature: self.features as u32, left: at, leaf }
    }

    fn link(&mut self, at: usize, tree: &Tree) {
        match tree {
            Tree::Leaf(leaf) => {
                self.deep[at] = self.stop((leaf * self.leaf_width()) as u32, at as u32);
            }
            Tree::Split { feature, threshold, is_missing_left, left, right } => {
                let children = self.deep.len();
                let feature = self.marked(*feature, *is_missing_left);
                self.deep[at] =
                    Linked { threshold: *threshold, feature, left: children as u32, leaf: 0 };
                self.deep.push(self.stop(0, children as u32));
                self.deep.push(self.stop(0, children as u32 + 1));
                self.link(children, left);
                self.link(children + 1, right);
            }
        }
    }

    /// Adds up a row. `row` has one more element than there are features, and that one is zero: the
    /// leaves of deep trees look at it.
    #[inline]
    pub fn sum(&self, row: &[f32], sums: &mut [f32]) {
        let row = &row[..=self.features];
        sums.fill(0.0);
        if self.has_missing_left && row.iter().any(|value| value.is_nan()) {
            self.sum_all::<true>(row, sums);
        } else {
            self.sum_all::<false>(row, sums);
        }
    }

    #[inline]
    fn sum_all<const MISSING: bool>(&self, row: &[f32], sums: &mut [f32]) {
        for block in &self.blocks {
            let reached = block.walk::<MISSING>(row);
            for leaf in reached {
                self.add(leaf as usize, sums);
            }
        }
        for some in self.roots.chunks(LANES) {
            let mut at = [0; LANES];
            let mut depth = 0;
            for (lane, (root, levels)) in some.iter().enumerate() {
                at[lane] = *root;
                depth = depth.max(*levels);
            }
            for _ in 0..depth {
                for place in &mut at[..some.len()] {
                    let node = &self.deep[*place as usize];
                    let is_left = goes_left::<MISSING>(row, node.feature, node.threshold);
                    *place = node.left + u32::from(!is_left);
                }
            }
            for place in &at[..some.len()] {
                self.add(self.deep[*place as usize].leaf as usize, sums);
            }
        }
    }

    #[inline]
    fn add(&self, leaf: usize, sums: &mut [f32]) {
        if self.single.is_empty() {
            for (sum, value) in sums.iter_mut().zip(&self.values[leaf..]) {
                *sum += value;
            }
        } else if self.targets == 1 {
            sums[0] += self.values[leaf];
        } else {
            sums[self.single[leaf] as usize] += self.values[leaf];
        }
    }
}

#[inline]
fn goes_left<const MISSING: bool>(row: &[f32], feature: u32, threshold: f32) -> bool {
    let value = row[(feature & !MISSING_LEFT) as usize];
    (value <= threshold) | (MISSING && value.is_nan() && feature & MISSING_LEFT != 0)
}

impl Block {
    /// The leaf's place in `values`, for each lane.
    #[inline]
    fn walk<const MISSING: bool>(&self, row: &[f32]) -> [u32; LANES] {
        let inner = (1_usize << self.depth) - 1;
        let mut at = [0_usize; LANES];
        for _ in 0..self.depth {
            for (lane, place) in at.iter_mut().enumerate() {
                // SAFETY: a place starts at 0 and each of `depth` steps goes from i to 2i + 1 or
                // 2i + 2, so that it stays below 2^depth − 1 before the last; there are `LANES`
                // times as many nodes, and each names a feature of the row or the zero behind it:
                // `Forest::new` made them so and nothing changes them.
                let is_left = unsafe {
                    let node = self.nodes.get_unchecked(lane * inner + *place);
                    let value = *row.get_unchecked((node.feature & !MISSING_LEFT) as usize);
                    (value <= node.threshold)
                        | (MISSING && value.is_nan() && node.feature & MISSING_LEFT != 0)
                };
                *place = 2 * *place + 1 + usize::from(!is_left);
            }
        }
        let mut leaves = [0; LANES];
        for (lane, place) in at.iter().enumerate() {
            leaves[lane] = self.leaves[lane * (inner + 1) + place - inner];
        }
        leaves
    }
}
