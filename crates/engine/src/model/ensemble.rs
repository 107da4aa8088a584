//! A tree ensemble's node of the graph in; its trees, laid out, with what happens to their sums, out.
//!
//! What the sums become (one score or two, logistic or not) follows ONNX Runtime where the ONNX
//! text is vague, because that is what the exporters are tested with.

use super::math::{logistic, softmax};
use super::onnx::Node;
use super::tree::{Forest, Tree};
use super::{ModelError, unsupported};
use std::collections::BTreeMap;

/// Deepest tree that is taken: beyond it is a chain, or a circle.
const DEPTH_MAX: u32 = 256;

/// What is done to scores.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Transform {
    /// Nothing.
    None,
    /// Each to `1 / (1 + e^−x)`.
    Logistic,
    /// Shares of the exponentials.
    Softmax,
    /// The same without those that are zero.
    SoftmaxZero,
}

impl Transform {
    /// By its name in the graph.
    ///
    /// # Errors
    /// One that is not supported.
    pub fn of(node: &Node) -> Result<Self, ModelError> {
        match node.text("post_transform", "NONE") {
            "NONE" => Ok(Self::None),
            "LOGISTIC" => Ok(Self::Logistic),
            "SOFTMAX" => Ok(Self::Softmax),
            "SOFTMAX_ZERO" => Ok(Self::SoftmaxZero),
            other => Err(unsupported(node, &format!("post_transform {other}"))),
        }
    }

    /// Transforms scores in place.
    #[inline]
    pub fn apply(self, scores: &mut [f32]) {
        match self {
            Self::None => {}
            Self::Logistic => scores.iter_mut().for_each(|score| *score = logistic(*score)),
            Self::Softmax => softmax(scores),
            Self::SoftmaxZero => softmax_zero(scores),
        }
    }
}

fn softmax_zero(scores: &mut [f32]) {
    let most =
        scores.iter().fold(f32::MIN, |most, score| if *score > most { *score } else { most });
    let scale = super::math::exp32(-most);
    let mut sum = 0.0;
    for score in &mut *scores {
        if score.abs() > 1e-7 {
            *score = super::math::exp32(*score - most);
            sum += *score;
        } else {
            *score *= scale;
        }
    }
    for score in scores {
        *score /= sum;
    }
}

/// How sums become scores.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Finish {
    /// One per target.
    Targets,
    /// Two classes from one sum: `[1 − s, s]`.
    Complement,
    /// Two classes from one sum: `[−s, s]`, or the logistic of both.
    Opposite,
}

/// A tree ensemble, ready to run.
#[derive(Clone, Debug)]
pub struct Ensemble {
    forest: Forest,
    base: Vec<f32>,
    divisor: f32,
    finish: Finish,
    transform: Transform,
    outputs: usize,
    targets: usize,
}

impl Ensemble {
    /// Reads a `TreeEnsembleRegressor` or `TreeEnsembleClassifier`.
    ///
    /// # Errors
    /// An attribute that is not supported, or trees that are none.
    pub fn read(node: &Node, features: usize) -> Result<Self, ModelError> {
        let is_classifier = node.kind == "TreeEnsembleClassifier";
        let labels = node
            .integers("classlabels_int64s")
            .len()
            .max(node.attributes.get("classlabels_strings").map_or(0, |found| found.texts.len()));
        let targets =
            if is_classifier { labels } else { node.integer("n_targets", 1).max(0) as usize };
        if targets == 0 || targets > 1_024 {
            return Err(unsupported(node, &format!("{targets} targets or classes")));
        }
        for name in ["nodes_values_as_tensor", "nodes_hitrates_as_tensor", "base_values_as_tensor"]
        {
            if node.attributes.contains_key(name) {
                return Err(unsupported(node, name));
            }
        }
        let (leaves, places) = read_leaves(node, is_classifier, targets)?;
        let trees = read_trees(node, features, &places)?;
        let divisor = match node.text("aggregate_function", "SUM") {
            "SUM" => 1.0,
            "AVERAGE" => trees.len() as f32,
            other => return Err(unsupported(node, &format!("aggregate_function {other}"))),
        };
        let mut made = Self {
            forest: Forest::new(features, targets, &trees, &leaves),
            base: node.floats("base_values").to_vec(),
            divisor,
            finish: Finish::Targets,
            transform: Transform::of(node)?,
            outputs: targets,
            targets,
        };
        if is_classifier && targets == 2 {
            made.pair(node, &leaves)?;
        } else if is_classifier && targets == 1 {
            return Err(unsupported(node, "one class"));
        } else if !is_classifier && targets == 1 {
            // ONNX Runtime leaves a single target as it is, whatever the graph says.
            made.transform = Transform::None;
        }
        if !matches!(made.base.len(), 0 | 1) && made.base.len() != targets {
            return Err(unsupported(node, &format!("{} base values", made.base.len())));
        }
        Ok(made)
    }

    /// Two classes: most exporters give one sum, for or against the second.
    fn pair(&mut self, node: &Node, leaves: &[Vec<(usize, f32)>]) -> Result<(), ModelError> {
        let pairs = || leaves.iter().flatten();
        let has_second = pairs().any(|(class, _)| *class == 1);
        if has_second && pairs().any(|(class, _)| *class == 0) {
            return Ok(());
        }
        if has_second || self.base.len() == 2 {
            return Err(unsupported(node, "two classes of which only the second has leaves"));
        }
        self.finish = if pairs().all(|(_, weight)| *weight >= 0.0) {
            Finish::Complement
        } else {
            Finish::Opposite
        };
        Ok(())
    }

    /// How many scores come out.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Computes the scores of a row; see [`Forest::sum`] for the row's extra element.
    #[inline]
    pub fn run(&self, row: &[f32], out: &mut [f32]) {
        self.forest.sum(row, out);
        if self.divisor > 1.0 {
            for sum in &mut *out {
                *sum /= self.divisor;
            }
        }
        if self.base.len() == self.targets {
            out.iter_mut().zip(&self.base).for_each(|(sum, base)| *sum += base);
        } else if let Some(base) = self.base.first() {
            out[0] += base;
        }
        match self.finish {
            Finish::Targets => self.transform.apply(out),
            Finish::Complement => {
                out[1] = out[0];
                out[0] = 1.0 - out[0];
            }
            Finish::Opposite => {
                out[1] = out[0];
                out[0] = -out[0];
                self.transform.apply(out);
            }
        }
    }
}

/// Which leaf is at a tree's node.
type Places = BTreeMap<(i64, i64), usize>;
/// Of each leaf, its targets with their values.
type Leaves = Vec<Vec<(usize, f32)>>;

/// The leaves' targets and values, and which leaf is where: by tree and node.
fn read_leaves(
    node: &Node,
    is_classifier: bool,
    targets: usize,
) -> Result<(Leaves, Places), ModelError> {
    let word = if is_classifier { "class" } else { "target" };
    let of = |name: &str| node.integers(&format!("{word}_{name}"));
    let (trees, nodes, ids) = (of("treeids"), of("nodeids"), of("ids"));
    let weights = node.floats(&format!("{word}_weights"));
    if trees.len() != nodes.len() || trees.len() != ids.len() || trees.len() != weights.len() {
        return Err(unsupported(node, "lists of leaves of different lengths"));
    }
    let (mut leaves, mut places) = (Leaves::new(), Places::new());
    for (index, weight) in weights.iter().enumerate() {
        let at = *places.entry((trees[index], nodes[index])).or_insert_with(|| {
            leaves.push(Vec::new());
            leaves.len() - 1
        });
        let target = usize::try_from(ids[index]).ok().filter(|target| *target < targets);
        let target = target.ok_or_else(|| unsupported(node, "a leaf of an unknown target"))?;
        leaves[at].push((target, *weight));
    }
    Ok((leaves, places))
}

/// The columns that describe the nodes of all trees.
struct Columns<'a> {
    node: &'a Node,
    features: usize,
    places: &'a Places,
    rows: BTreeMap<(i64, i64), usize>,
}

fn read_trees(node: &Node, features: usize, places: &Places) -> Result<Vec<Tree>, ModelError> {
    let (trees, nodes) = (node.integers("nodes_treeids"), node.integers("nodes_nodeids"));
    let modes = node.attributes.get("nodes_modes").map_or(0, |found| found.texts.len());
    let lengths = [
        nodes.len(),
        modes,
        node.integers("nodes_featureids").len(),
        node.integers("nodes_truenodeids").len(),
        node.integers("nodes_falsenodeids").len(),
        node.floats("nodes_values").len(),
    ];
    if lengths.iter().any(|length| *length != trees.len()) || trees.is_empty() {
        return Err(unsupported(node, "lists of nodes of different lengths, or none"));
    }
    let keys = trees.iter().copied().zip(nodes.iter().copied());
    let rows = keys.zip(0..).collect();
    let columns = Columns { node, features, places, rows };
    let mut roots: Vec<usize> = Vec::new();
    for row in 0..trees.len() {
        // The first node that is listed of a tree is its root.
        if row == 0 || trees[row] != trees[row - 1] {
            roots.push(row);
        }
    }
    let mut left = trees.len() * 2;
    roots.into_iter().map(|row| columns.tree(row, 0, &mut left)).collect()
}

impl Columns<'_> {
    /// The subtree of a row. `left` bounds the whole work, since a graph may share or repeat nodes.
    fn tree(&self, row: usize, depth: u32, left: &mut usize) -> Result<Tree, ModelError> {
        let fail = |what: &str| unsupported(self.node, what);
        if depth > DEPTH_MAX || *left == 0 {
            return Err(fail("a tree that is too deep, or goes in circles"));
        }
        *left -= 1;
        let node = self.node;
        let mode = node.attributes["nodes_modes"].texts[row].as_str();
        let tree_id = node.integers("nodes_treeids")[row];
        if mode == "LEAF" {
            let key = (tree_id, node.integers("nodes_nodeids")[row]);
            let leaf = self.places.get(&key).ok_or_else(|| fail("a leaf without a value"))?;
            return Ok(Tree::Leaf(*leaf));
        }
        let child = |list: &str, left: &mut usize| {
            let id = node.integers(list)[row];
            let row =
                self.rows.get(&(tree_id, id)).ok_or_else(|| fail("a child that is missing"))?;
            self.tree(*row, depth + 1, left)
        };
        let yes = Box::new(child("nodes_truenodeids", left)?);
        let no = Box::new(child("nodes_falsenodeids", left)?);
        let feature = usize::try_from(node.integers("nodes_featureids")[row]).ok();
        let feature = feature.filter(|feature| *feature < self.features);
        let feature = feature.ok_or_else(|| fail("a feature beyond the input"))? as u32;
        let threshold = node.floats("nodes_values")[row];
        let missing = node.integers("nodes_missing_value_tracks_true");
        let tracks = missing.get(row).is_some_and(|track| *track != 0);
        question(mode, feature, threshold, tracks, yes, no).ok_or_else(|| fail(mode))
    }
}

/// A comparison of any mode by `<=` alone; a missing value goes to `yes` when `tracks`, else to `no`.
fn question(
    mode: &str,
    feature: u32,
    threshold: f32,
    tracks: bool,
    yes: Box<Tree>,
    no: Box<Tree>,
) -> Option<Tree> {
    let split = |threshold, is_missing_left, left, right| Tree::Split {
        feature,
        threshold,
        is_missing_left,
        left,
        right,
    };
    // Nothing is at or below a threshold that is not a number, as nothing compares with one.
    let below = threshold.next_down();
    let below = if threshold == f32::NEG_INFINITY { f32::NAN } else { below };
    Some(match mode {
        "BRANCH_LEQ" => split(threshold, tracks, yes, no),
        "BRANCH_LT" => split(below, tracks, yes, no),
        "BRANCH_GTE" => split(below, !tracks, no, yes),
        "BRANCH_GT" => split(threshold, !tracks, no, yes),
        "BRANCH_EQ" => {
            let low = Box::new(split(below, false, no.clone(), yes));
            split(threshold, tracks, low, no)
        }
        "BRANCH_NEQ" => {
            // The other way round; a missing value differs from every threshold.
            let low = Box::new(split(below, false, yes.clone(), no));
            split(threshold, false, low, yes)
        }
        _ => return None,
    })
}
