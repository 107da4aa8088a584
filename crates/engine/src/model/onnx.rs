//! The bytes of an ONNX file in; its graph, or where it stops making sense, out.
//!
//! A reader of the few Protocol Buffers fields that inference needs, rather than generated code for
//! all of them: two hundred lines that can be read, and that take hostile bytes without a panic.

use std::collections::BTreeMap;

/// Bytes that are no ONNX model; trying again cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an ONNX model, found bytes that break off or mislead at {0}")]
pub struct WireError(pub(super) &'static str);

/// A value of a field on the wire.
enum Field<'a> {
    Varint(u64),
    Fixed32(u32),
    /// Eight bytes; no field that matters here has them.
    Fixed64,
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    fn bytes(&self) -> Result<&'a [u8], WireError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(WireError("a text or message")),
        }
    }

    fn text(&self) -> Result<String, WireError> {
        let bytes = self.bytes()?.to_vec();
        String::from_utf8(bytes).map_err(|_| WireError("a text"))
    }

    /// One integer, or a packed list of them.
    fn integers(&self, into: &mut Vec<i64>) -> Result<(), WireError> {
        match self {
            Self::Varint(value) => into.push(*value as i64),
            Self::Bytes(bytes) => {
                let mut rest = *bytes;
                while !rest.is_empty() {
                    into.push(varint(&mut rest)? as i64);
                }
            }
            _ => return Err(WireError("a list of integers")),
        }
        Ok(())
    }

    /// One float, or a packed list of them.
    fn floats(&self, into: &mut Vec<f32>) -> Result<(), WireError> {
        match self {
            Self::Fixed32(bits) => into.push(f32::from_bits(*bits)),
            Self::Bytes(bytes) => into.extend(float_list(bytes)?),
            _ => return Err(WireError("a list of floats")),
        }
        Ok(())
    }
}

fn float_list(bytes: &[u8]) -> Result<Vec<f32>, WireError> {
    let (words, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(WireError("a list of floats"));
    }
    Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
}

fn varint(rest: &mut &[u8]) -> Result<u64, WireError> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first().ok_or(WireError("a number"))?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(WireError("a number"))
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], WireError> {
    let (head, after) = rest.split_at_checked(count).ok_or(WireError("a field's length"))?;
    *rest = after;
    Ok(head)
}

/// Hands each field of a message with its number to `see`.
fn each<'a>(
    mut rest: &'a [u8],
    mut see: impl FnMut(u64, Field<'a>) -> Result<(), WireError>,
) -> Result<(), WireError> {
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let field = match key & 7 {
            0 => Field::Varint(varint(&mut rest)?),
            1 => {
                take(&mut rest, 8)?;
                Field::Fixed64
            }
            2 => {
                let length = usize::try_from(varint(&mut rest)?)
                    .map_err(|_| WireError("a field's length"))?;
                Field::Bytes(take(&mut rest, length)?)
            }
            5 => {
                let word = take(&mut rest, 4)?;
                Field::Fixed32(u32::from_le_bytes(word.try_into().expect("four bytes")))
            }
            _ => return Err(WireError("a field's type")),
        };
        see(key >> 3, field)?;
    }
    Ok(())
}

/// A constant, as 32-bit floats; integers are kept where a shape needs them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensor {
    /// Its shape; empty for a single number.
    pub dims: Vec<usize>,
    /// ONNX's number of the element type; 1 is a 32-bit float.
    pub element: i64,
    /// The elements, where they are 32-bit floats.
    pub floats: Vec<f32>,
}

/// What a node is parameterised with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attribute {
    /// `f`.
    pub float: f32,
    /// `i`.
    pub integer: i64,
    /// `s`.
    pub text: String,
    /// `floats`, or those of a tensor.
    pub floats: Vec<f32>,
    /// `ints`.
    pub integers: Vec<i64>,
    /// `strings`.
    pub texts: Vec<String>,
}

/// One operation of the graph.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// Names of what goes in.
    pub inputs: Vec<String>,
    /// Names of what comes out.
    pub outputs: Vec<String>,
    /// Such as `Gemm`.
    pub kind: String,
    /// By name.
    pub attributes: BTreeMap<String, Attribute>,
}

impl Node {
    /// A list of floats; empty where the node has none.
    pub fn floats(&self, name: &str) -> &[f32] {
        self.attributes.get(name).map_or(&[], |found| &found.floats)
    }

    /// A list of integers; empty where the node has none.
    pub fn integers(&self, name: &str) -> &[i64] {
        self.attributes.get(name).map_or(&[], |found| &found.integers)
    }

    /// An integer with its default.
    pub fn integer(&self, name: &str, default: i64) -> i64 {
        self.attributes.get(name).map_or(default, |found| found.integer)
    }

    /// A float with its default.
    pub fn float(&self, name: &str, default: f32) -> f32 {
        self.attributes.get(name).map_or(default, |found| found.float)
    }

    /// A text with its default.
    pub fn text<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.attributes.get(name).map_or(default, |found| &found.text)
    }
}

/// A value that enters or leaves the graph.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its element type; 0 where it is no tensor.
    pub element: i64,
    /// Its shape; 0 where a dimension is free.
    pub dims: Vec<usize>,
}

/// The whole graph.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// In the order in which they can be computed.
    pub nodes: Vec<Node>,
    /// Constants by name.
    pub constants: BTreeMap<String, Tensor>,
    /// What goes in, constants left out.
    pub inputs: Vec<Port>,
    /// What comes out.
    pub outputs: Vec<Port>,
}

/// Reads a model.
///
/// # Errors
/// The bytes are no ONNX model.
pub fn read(bytes: &[u8]) -> Result<Graph, WireError> {
    let mut graph = None;
    each(bytes, |number, field| {
        if number == 7 {
            graph = Some(read_graph(field.bytes()?)?);
        }
        Ok(())
    })?;
    graph.ok_or(WireError("its graph, which is missing"))
}

fn read_graph(bytes: &[u8]) -> Result<Graph, WireError> {
    let mut graph = Graph::default();
    each(bytes, |number, field| {
        match number {
            1 => graph.nodes.push(read_node(field.bytes()?)?),
            5 => {
                let (name, tensor) = read_tensor(field.bytes()?)?;
                graph.constants.insert(name, tensor);
            }
            11 => graph.inputs.push(read_port(field.bytes()?)?),
            12 => graph.outputs.push(read_port(field.bytes()?)?),
            _ => {}
        }
        Ok(())
    })?;
    let constants = &graph.constants;
    graph.inputs.retain(|port| !constants.contains_key(&port.name));
    Ok(graph)
}

fn read_node(bytes: &[u8]) -> Result<Node, WireError> {
    let mut node = Node::default();
    each(bytes, |number, field| {
        match number {
            1 => node.inputs.push(field.text()?),
            2 => node.outputs.push(field.text()?),
            4 => node.kind = field.text()?,
            5 => {
                let (name, attribute) = read_attribute(field.bytes()?)?;
                node.attributes.insert(name, attribute);
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(node)
}

fn read_attribute(bytes: &[u8]) -> Result<(String, Attribute), WireError> {
    let (mut name, mut attribute) = (String::new(), Attribute::default());
    each(bytes, |number, field| {
        match (number, &field) {
            (1, _) => name = field.text()?,
            (2, Field::Fixed32(bits)) => attribute.float = f32::from_bits(*bits),
            (3, Field::Varint(value)) => attribute.integer = *value as i64,
            (4, _) => attribute.text = String::from_utf8_lossy(field.bytes()?).into_owned(),
            (5, _) => attribute.floats = read_tensor(field.bytes()?)?.1.floats,
            (7, _) => field.floats(&mut attribute.floats)?,
            (8, _) => field.integers(&mut attribute.integers)?,
            (9, _) => {
                attribute.texts.push(String::from_utf8_lossy(field.bytes()?).into_owned());
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok((name, attribute))
}

fn read_tensor(bytes: &[u8]) -> Result<(String, Tensor), WireError> {
    let (mut name, mut tensor, mut raw) = (String::new(), Tensor::default(), None);
    let mut dims = Vec::new();
    each(bytes, |number, field| {
        match (number, &field) {
            (1, _) => field.integers(&mut dims)?,
            (2, Field::Varint(value)) => tensor.element = *value as i64,
            (4, _) => field.floats(&mut tensor.floats)?,
            (8, _) => name = field.text()?,
            (9, _) => raw = Some(field.bytes()?),
            _ => {}
        }
        Ok(())
    })?;
    if let (1, Some(raw)) = (tensor.element, raw) {
        tensor.floats = float_list(raw)?;
    }
    for dim in dims {
        tensor.dims.push(usize::try_from(dim).map_err(|_| WireError("a tensor's shape"))?);
    }
    let count = tensor.dims.iter().try_fold(1_usize, |count, dim| count.checked_mul(*dim));
    if tensor.element == 1 && count != Some(tensor.floats.len()) {
        return Err(WireError("a tensor's shape"));
    }
    Ok((name, tensor))
}

fn read_port(bytes: &[u8]) -> Result<Port, WireError> {
    let mut port = Port::default();
    each(bytes, |number, field| {
        match number {
            1 => port.name = field.text()?,
            2 => each(field.bytes()?, |number, field| {
                if number == 1 { read_tensor_type(field.bytes()?, &mut port) } else { Ok(()) }
            })?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(port)
}

fn read_tensor_type(bytes: &[u8], port: &mut Port) -> Result<(), WireError> {
    each(bytes, |number, field| {
        match (number, &field) {
            (1, Field::Varint(value)) => port.element = *value as i64,
            (2, _) => each(field.bytes()?, |number, field| {
                if number == 1 {
                    let mut dim = 0;
                    each(field.bytes()?, |number, field| {
                        if let (1, Field::Varint(value)) = (number, field) {
                            dim = usize::try_from(value).map_err(|_| WireError("a shape"))?;
                        }
                        Ok(())
                    })?;
                    port.dims.push(dim);
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })
}
