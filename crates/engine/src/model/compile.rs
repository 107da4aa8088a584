//! A graph in; a short list of steps over one row out, or the operator that is not known.

use super::ModelError;
use super::dense::Dense;
use super::ensemble::{Ensemble, Transform};
use super::math::{exp32, logistic, softmax, tanh};
use super::onnx::{Graph, Node, Tensor};
use super::unsupported;
use std::collections::BTreeMap;
use std::ops::Range;

/// Most elements of a row between two steps: a model of ours has tens.
const WIDTH_MAX: usize = 65_536;

/// What is done to each element alone.
#[derive(Copy, Clone, Debug)]
pub enum Unary {
    /// Negative to zero.
    Relu,
    /// Negative times a slope.
    LeakyRelu(f32),
    /// `1 / (1 + e^−x)`.
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// `e^x`.
    Exp,
    /// Opposite sign.
    Neg,
}

/// What is done to two elements.
#[derive(Copy, Clone, Debug)]
pub enum Binary {
    /// Sum.
    Add,
    /// Difference.
    Sub,
    /// Product.
    Mul,
    /// Quotient.
    Div,
}

/// What a row is divided by.
#[derive(Copy, Clone, Debug)]
pub enum Norm {
    /// The largest.
    Max,
    /// The sum of all, without signs.
    L1,
    /// The root of the sum of squares.
    L2,
}

/// One step: reads earlier parts of the memory and writes a later one.
#[derive(Clone, Debug)]
pub enum Step {
    /// Trees.
    Ensemble(Range<usize>, usize, Box<Ensemble>),
    /// A layer.
    Dense(Range<usize>, usize, Box<Dense>),
    /// Each alone.
    Unary(Range<usize>, usize, Unary),
    /// Two parts of equal length, or one that stands for all.
    Binary(Range<usize>, Range<usize>, usize, Binary),
    /// `(x − offset) · scale`.
    Scale(Range<usize>, usize, Box<(Vec<f32>, Vec<f32>)>),
    /// Shares of exponentials.
    Softmax(Range<usize>, usize),
    /// Scores to probabilities.
    Transform(Range<usize>, usize, Transform),
    /// By a norm.
    Normalize(Range<usize>, usize, Norm),
    /// Parts one after the other.
    Concat(Vec<Range<usize>>, usize),
}

/// The steps, with the memory that they need.
#[derive(Clone, Debug)]
pub struct Program {
    /// In order.
    pub steps: Vec<Step>,
    /// The memory before the first step: constants are in it.
    pub memory: Vec<f32>,
    /// How many features go in; they begin at 0.
    pub features: usize,
    /// What comes out.
    pub output: Range<usize>,
}

/// How many 32-bit floats go in.
///
/// # Errors
/// Something else goes in.
pub fn features(graph: &Graph) -> Result<usize, ModelError> {
    let [input] = &graph.inputs[..] else {
        return Err(ModelError::Input(format!("{} inputs", graph.inputs.len())));
    };
    let features = match input.dims[..] {
        [_, features] if features > 0 && input.element == 1 => features,
        _ => {
            let found = format!("shape {:?} of element type {}", input.dims, input.element);
            return Err(ModelError::Input(found));
        }
    };
    if features > WIDTH_MAX {
        return Err(ModelError::Input(format!("{features} features")));
    }
    Ok(features)
}

/// Compiles a graph with one row of 32-bit floats going in.
///
/// # Errors
/// An operator or attribute that is not supported, named.
pub fn compile(graph: &Graph) -> Result<Program, ModelError> {
    let features = features(graph)?;
    let wanted = wanted_output(graph)?;
    let mut compiler = Compiler {
        graph,
        bare: None,
        steps: Vec::new(),
        memory: vec![0.0; features + 1],
        known: BTreeMap::from([(graph.inputs[0].name.clone(), 0..features)]),
    };
    for node in needed(graph, &wanted) {
        compiler.node(node)?;
    }
    let output = compiler.row(&wanted).ok_or(ModelError::Output)?;
    let Compiler { steps, memory, .. } = compiler;
    Ok(Program { steps, memory, features, output })
}

/// The name of the scores: probabilities rather than labels, before they are packed into a map.
fn wanted_output(graph: &Graph) -> Result<String, ModelError> {
    for port in graph.outputs.iter().rev() {
        let maker = graph.nodes.iter().find(|node| node.outputs.contains(&port.name));
        match maker {
            Some(node) if node.kind == "ZipMap" => {
                return node.inputs.first().cloned().ok_or(ModelError::Output);
            }
            Some(_) if port.element == 1 => return Ok(port.name.clone()),
            _ => {}
        }
    }
    Err(ModelError::Output)
}

/// The nodes that the wanted value depends on, in order.
fn needed<'a>(graph: &'a Graph, wanted: &str) -> Vec<&'a Node> {
    let mut names = vec![wanted.to_owned()];
    let mut found = Vec::new();
    for node in graph.nodes.iter().rev() {
        if node.outputs.iter().any(|output| names.contains(output)) {
            names.extend(node.inputs.iter().cloned());
            found.push(node);
        }
    }
    found.reverse();
    found
}

struct Compiler<'a> {
    graph: &'a Graph,
    /// The last product without a bias.
    bare: Option<String>,
    steps: Vec<Step>,
    memory: Vec<f32>,
    known: BTreeMap<String, Range<usize>>,
}

impl Compiler<'_> {
    /// Where a value is, if it is a row that has been computed.
    fn row(&self, name: &str) -> Option<Range<usize>> {
        self.known.get(name).cloned()
    }

    fn input(&self, node: &Node, at: usize) -> Result<Range<usize>, ModelError> {
        let name = node.inputs.get(at).ok_or_else(|| unsupported(node, "too few inputs"))?;
        self.row(name).ok_or_else(|| unsupported(node, &format!("{name} as its input")))
    }

    fn constant(&self, node: &Node, at: usize) -> Result<&Tensor, ModelError> {
        let found = node.inputs.get(at).and_then(|name| self.graph.constants.get(name));
        found
            .filter(|tensor| tensor.element == 1)
            .ok_or_else(|| unsupported(node, "weights that are no 32-bit constants"))
    }

    /// Makes room for a row, with a zero behind it that nothing writes.
    fn room(&mut self, node: &Node, length: usize) -> Result<usize, ModelError> {
        let at = self.memory.len();
        if length == 0 || at + length > 4 * WIDTH_MAX {
            return Err(unsupported(node, &format!("a row of {length}")));
        }
        self.memory.resize(at + length + 1, 0.0);
        Ok(at)
    }

    fn node(&mut self, node: &Node) -> Result<(), ModelError> {
        let made = match node.kind.as_str() {
            "Cast" if node.integer("to", 1) != 1 => {
                let to = node.integer("to", 1);
                return Err(unsupported(node, &format!("element type {to}")));
            }
            "Softmax" | "Concat" | "Flatten" if !matches!(node.integer("axis", 1), 1 | -1) => {
                return Err(unsupported(node, "another axis than that of the features"));
            }
            // One row stays one row: whatever a shape says, there is nothing else to put it in.
            "Identity" | "Flatten" | "ZipMap" | "Dropout" | "Cast" | "Reshape" => {
                self.input(node, 0)?
            }
            "TreeEnsembleRegressor" | "TreeEnsembleClassifier" => self.ensemble(node)?,
            "MatMul" => self.matmul(node)?,
            "Gemm" => self.gemm(node)?,
            "LinearRegressor" | "LinearClassifier" => self.linear(node)?,
            "Add" => self.binary(node, Binary::Add)?,
            "Sub" => self.binary(node, Binary::Sub)?,
            "Mul" => self.binary(node, Binary::Mul)?,
            "Div" => self.binary(node, Binary::Div)?,
            "Relu" => self.unary(node, Unary::Relu)?,
            "LeakyRelu" => self.unary(node, Unary::LeakyRelu(node.float("alpha", 0.01)))?,
            "Sigmoid" => self.unary(node, Unary::Sigmoid)?,
            "Tanh" => self.unary(node, Unary::Tanh)?,
            "Exp" => self.unary(node, Unary::Exp)?,
            "Neg" => self.unary(node, Unary::Neg)?,
            "Softmax" => {
                let from = self.input(node, 0)?;
                self.push(node, from.len(), |at| Step::Softmax(from, at))?
            }
            "Scaler" => self.scaler(node)?,
            "Normalizer" => self.normalizer(node)?,
            "Concat" => self.concat(node)?,
            _ => return Err(unsupported(node, "this operator")),
        };
        // Of a classifier's two outputs the second holds the scores.
        let is_scored = matches!(node.kind.as_str(), "TreeEnsembleClassifier" | "LinearClassifier");
        let name = node.outputs.get(usize::from(is_scored)).ok_or(ModelError::Output)?;
        self.known.insert(name.clone(), made);
        Ok(())
    }

    fn push(
        &mut self,
        node: &Node,
        length: usize,
        make: impl FnOnce(usize) -> Step,
    ) -> Result<Range<usize>, ModelError> {
        let at = self.room(node, length)?;
        self.steps.push(make(at));
        Ok(at..at + length)
    }

    fn ensemble(&mut self, node: &Node) -> Result<Range<usize>, ModelError> {
        let from = self.input(node, 0)?;
        let ensemble = Box::new(Ensemble::read(node, from.len())?);
        self.push(node, ensemble.outputs(), |at| Step::Ensemble(from, at, ensemble))
    }

    fn dense(
        &mut self,
        node: &Node,
        from: Range<usize>,
        dense: Dense,
    ) -> Result<Range<usize>, ModelError> {
        let dense = Box::new(dense);
        self.push(node, dense.outputs(), |at| Step::Dense(from, at, dense))
    }

    fn matmul(&mut self, node: &Node) -> Result<Range<usize>, ModelError> {
        let from = self.input(node, 0)?;
        let weights = self.constant(node, 1)?;
        let (rows, columns) = match weights.dims[..] {
            [rows, columns] if rows == from.len() => (rows, columns),
            _ => return Err(unsupported(node, &format!("weights of shape {:?}", weights.dims))),
        };
        let weight = |input: usize, output: usize| weights.floats[input * columns + output];
        let dense = Dense::new(rows, columns, weight, 1.0, &[]);
        self.bare = node.outputs.first().cloned();
        self.dense(node, from, dense)
    }

    fn gemm(&mut self, node: &Node) -> Result<Range<usize>, ModelError> {
        if node.integer("transA", 0) != 0 {
            return Err(unsupported(node, "transA"));
        }
        let from = self.input(node, 0)?;
        let weights = self.constant(node, 1)?;
        let is_turned = node.integer("transB", 0) != 0;
        let (inputs, outputs) = match weights.dims[..] {
            [outputs, inputs] if is_turned => (inputs, outputs),
            [inputs, outputs] => (inputs, outputs),
            _ => (0, 0),
        };
        if inputs != from.len() {
            return Err(unsupported(node, &format!("weights of shape {:?}", weights.dims)));
        }
        let (alpha, beta) = (node.float("alpha", 1.0), node.float("beta", 1.0));
        let mut bias = vec![0.0; outputs];
        if node.inputs.get(2).is_some_and(|name| !name.is_empty()) {
            let given = self.constant(node, 2)?;
            for (at, value) in bias.iter_mut().enumerate() {
                let from = if given.floats.len() == 1 { 0 } else { at };
                let found = given.floats.get(from);
                *value = beta * found.ok_or_else(|| unsupported(node, "a bias of this shape"))?;
            }
        }
        let weight = |input: usize, output: usize| {
            let at = if is_turned { output * inputs + input } else { input * outputs + output };
            weights.floats[at]
        };
        let dense = Dense::new(inputs, outputs, weight, alpha, &bias);
        self.dense(node, from, dense)
    }

    fn linear(&mut self, node: &Node) -> Result<Range<usize>, ModelError> {
        let from = self.input(node, 0)?;
        let (weights, bias) = (node.floats("coefficients"), node.floats("intercepts"));
        let inputs = from.len();
        let outputs = weights.len() / inputs;
        if outputs == 0
            || weights.len() % inputs != 0
            || !matches!(bias.len(), 0 | 1) && bias.len() != outputs
        {
            return Err(unsupported(node, "coefficients of this shape"));
        }
        let labels = node
            .integers("classlabels_ints")
            .len()
            .max(node.attributes.get("classlabels_strings").map_or(0, |found| found.texts.len()));
        if node.kind == "LinearClassifier" && outputs != labels {
            return Err(unsupported(node, "fewer rows of coefficients than classes"));
        }
        let bias: Vec<f32> = match bias {
            [] => vec![0.0; outputs],
            [one] => vec![*one; outputs],
            all => all.to_vec(),
        };
        let weight = |input: usize, output: usize| weights[output * inputs + input];
        let dense = Dense::new(inputs, outputs, weight, 1.0, &bias);
        let transform = Transform::of(node)?;
        let scores = self.dense(node, from, dense)?;
        if transform == Transform::None {
            return Ok(scores);
        }
        self.push(node, outputs, |at| Step::Transform(scores, at, transform))
    }

    fn unary(&mut self, node: &Node, unary: Unary) -> Result<Range<usize>, ModelError> {
        let from = self.input(node, 0)?;
        self.push(node, from.len(), |at| Step::Unary(from, at, unary))
    }

    fn binary(&mut self, node: &Node, binary: Binary) -> Result<Range<usize>, ModelError> {
        if let (Binary::Add, Some(row)) = (binary, self.with_bias(node)) {
            return Ok(row);
        }
        let (left, right) = (self.operand(node, 0)?, self.operand(node, 1)?);
        let length = left.len().max(right.len());
        if [&left, &right].iter().any(|part| part.len() != 1 && part.len() != length) {
            return Err(unsupported(node, "operands of different lengths"));
        }
        self.push(node, length, |at| Step::Binary(left, right, at, binary))
    }

    /// Puts a bias that follows a product into its layer, when nothing else wants the bare product.
    fn with_bias(&mut self, node: &Node) -> Option<Range<usize>> {
        let from = self.input(node, 0).ok()?;
        let bias = self.constant(node, 1).ok()?.floats.clone();
        let product = self.bare.take()?;
        let is_only = self.graph.nodes.iter().flat_map(|each| &each.inputs);
        let is_only = is_only.filter(|input| **input == product).count() == 1;
        match self.steps.last_mut() {
            Some(Step::Dense(_, at, dense))
                if is_only
                    && product == node.inputs[0]
                    && *at == from.start
                    && bias.len() == from.len() =>
            {
                dense.set_bias(&bias);
                Some(from)
            }
            _ => None,
        }
    }

    /// A row, or a constant that is put into the memory.
    fn operand(&mut self, node: &Node, at: usize) -> Result<Range<usize>, ModelError> {
        if let Ok(found) = self.input(node, at) {
            return Ok(found);
        }
        let values = self.constant(node, at)?.floats.clone();
        let start = self.room(node, values.len())?;
        self.memory[start..start + values.len()].copy_from_slice(&values);
        Ok(start..start + values.len())
    }

    fn scaler(&mut self, node: &Node) -> Result<Range<usize>, ModelError> {
        let from = self.input(node, 0)?;
        let fit = |values: &[f32], none: f32| match values {
            [] => Some(vec![none; from.len()]),
            [one] => Some(vec![*one; from.len()]),
            all => (all.len() == from.len()).then(|| all.to_vec()),
        };
        let (offset, scale) = (fit(node.floats("offset"), 0.0), fit(node.floats("scale"), 1.0));
        let (Some(offset), Some(scale)) = (offset, scale) else {
            return Err(unsupported(node, "offsets of another length"));
        };
        self.push(node, from.len(), |at| Step::Scale(from, at, Box::new((offset, scale))))
    }

    fn normalizer(&mut self, node: &Node) -> Result<Range<usize>, ModelError> {
        let from = self.input(node, 0)?;
        let norm = match node.text("norm", "MAX") {
            "MAX" => Norm::Max,
            "L1" => Norm::L1,
            "L2" => Norm::L2,
            other => return Err(unsupported(node, other)),
        };
        self.push(node, from.len(), |at| Step::Normalize(from, at, norm))
    }

    fn concat(&mut self, node: &Node) -> Result<Range<usize>, ModelError> {
        let parts: Result<Vec<_>, _> =
            (0..node.inputs.len()).map(|at| self.input(node, at)).collect();
        let parts = parts?;
        let length = parts.iter().map(ExactSizeIterator::len).sum();
        self.push(node, length, |at| Step::Concat(parts, at))
    }
}

impl Program {
    /// Runs all steps over the memory, whose beginning holds the features.
    #[inline]
    pub fn run(&mut self) {
        for step in &self.steps {
            step.run(&mut self.memory);
        }
    }
}

impl Step {
    #[inline]
    fn run(&self, memory: &mut [f32]) {
        match self {
            Self::Ensemble(from, at, ensemble) => {
                let (before, after) = memory.split_at_mut(*at);
                // One further: the zero that trees look at.
                ensemble.run(&before[from.start..=from.end], &mut after[..ensemble.outputs()]);
            }
            Self::Dense(from, at, dense) => {
                let (before, after) = memory.split_at_mut(*at);
                dense.run(&before[from.clone()], &mut after[..dense.outputs()]);
            }
            Self::Unary(from, at, unary) => unary.run(memory, from, *at),
            Self::Binary(left, right, at, binary) => binary.run(memory, left, right, *at),
            Self::Scale(from, at, by) => {
                let (before, after) = memory.split_at_mut(*at);
                let rows = before[from.clone()].iter().zip(by.0.iter().zip(&by.1));
                for (out, (value, (offset, scale))) in after.iter_mut().zip(rows) {
                    *out = (value - offset) * scale;
                }
            }
            Self::Softmax(from, at) => softmax(copied(memory, from, *at)),
            Self::Transform(from, at, transform) => transform.apply(copied(memory, from, *at)),
            Self::Normalize(from, at, norm) => norm.run(copied(memory, from, *at)),
            Self::Concat(parts, at) => {
                let mut at = *at;
                for part in parts {
                    memory.copy_within(part.clone(), at);
                    at += part.len();
                }
            }
        }
    }
}

/// The row again at its new place, to be changed there.
fn copied<'a>(memory: &'a mut [f32], from: &Range<usize>, at: usize) -> &'a mut [f32] {
    memory.copy_within(from.clone(), at);
    &mut memory[at..at + from.len()]
}

impl Unary {
    #[inline]
    fn run(self, memory: &mut [f32], from: &Range<usize>, at: usize) {
        let (before, after) = memory.split_at_mut(at);
        let rows = after.iter_mut().zip(&before[from.clone()]);
        match self {
            Self::Relu => rows.for_each(|(out, x)| *out = if *x < 0.0 { 0.0 } else { *x }),
            Self::LeakyRelu(slope) => {
                rows.for_each(|(out, x)| *out = if *x < 0.0 { slope * x } else { *x });
            }
            Self::Sigmoid => rows.for_each(|(out, x)| *out = logistic(*x)),
            Self::Tanh => rows.for_each(|(out, x)| *out = tanh(*x)),
            Self::Exp => rows.for_each(|(out, x)| *out = exp32(*x)),
            Self::Neg => rows.for_each(|(out, x)| *out = -x),
        }
    }
}

impl Binary {
    fn run(self, memory: &mut [f32], left: &Range<usize>, right: &Range<usize>, at: usize) {
        let length = left.len().max(right.len());
        let (before, after) = memory.split_at_mut(at);
        let part = |range: &Range<usize>, index: usize| {
            before[range.start + if range.len() == 1 { 0 } else { index }]
        };
        for (index, out) in after[..length].iter_mut().enumerate() {
            let (a, b) = (part(left, index), part(right, index));
            *out = match self {
                Self::Add => a + b,
                Self::Sub => a - b,
                Self::Mul => a * b,
                Self::Div => a / b,
            };
        }
    }
}

impl Norm {
    fn run(self, row: &mut [f32]) {
        let by = match self {
            Self::Max => row.iter().fold(f32::MIN, |most, x| most.max(*x)),
            Self::L1 => row.iter().map(|x| x.abs()).sum(),
            Self::L2 => row.iter().map(|x| x * x).sum::<f32>().sqrt(),
        };
        if by != 0.0 {
            for x in row {
                *x /= by;
            }
        }
    }
}
