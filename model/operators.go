package model

import (
	"fmt"
	"slices"
	"strings"
)

// An UnsupportedError says that a runtime cannot be trusted with a network, the
// operator that is the reason, and which runtimes know that operator.
type UnsupportedError struct {
	Runtime          string
	Op, Domain, Node string
	Able             []string // runtimes that know the operator; none if empty
	Cause            error
}

func (e *UnsupportedError) Error() string {
	op := e.Op
	if e.Domain != "" {
		op = e.Domain + ":" + op
	}
	remedy := "no runtime knows it: export the model without it"
	if len(e.Able) > 0 {
		remedy = fmt.Sprintf("choose runtime: %s, which can run it ('make onnxruntime' brings its library), or export the model without it", strings.Join(e.Able, " or "))
	}
	return fmt.Sprintf("%s: operator %s (node %q): %v; %s", e.Runtime, op, e.Node, e.Cause, remedy)
}

func (e *UnsupportedError) Unwrap() error { return e.Cause }

// Permanent tells whoever retries not to.
func (e *UnsupportedError) Permanent() bool { return true }

// Able gives the runtimes that know an operator besides onnx-go, which judges
// for itself: all of ONNX and what is ONNX Runtime's own, or none.
func Able(n Node) []string {
	switch n.Domain {
	case "", "ai.onnx":
		if _, ok := slices.BinarySearch(operators, n.Op); ok {
			return []string{"onnxruntime"}
		}
	case "com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc", "ai.onnx.ml":
		return []string{"onnxruntime"}
	}
	return nil
}

// Unknown is about the first operator that no runtime knows, or nil.
func Unknown(g Graph, runtime string) error {
	for _, n := range g.Nodes {
		if Able(n) == nil {
			return &UnsupportedError{Runtime: runtime, Op: n.Op, Domain: n.Domain, Node: n.Name, Cause: fmt.Errorf("is not an operator of ONNX")}
		}
	}
	return nil
}

// operators of the default domain up to opset 22, sorted.
var operators = strings.Fields(`Abs Acos Acosh Add AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool
	BatchNormalization Bernoulli BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow Cast CastLike Ceil Celu
	CenterCropPad Clip Col2Im Compress Concat ConcatFromSequence Constant ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh
	CumSum DFT DeformConv DepthToSpace DequantizeLinear Det Div Dropout DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand
	EyeLike Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater
	GreaterOrEqual GridSample GroupNormalization HammingWindow HannWindow HardSigmoid HardSwish Hardmax Identity If ImageDecoder
	InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax Loop LpNormalization
	LpPool MatMul MatMulInteger Max MaxPool MaxRoiPool MaxUnpool Mean MeanVarianceNormalization MelWeightMatrix Min Mish Mod Mul
	Multinomial Neg NegativeLogLikelihoodLoss NonMaxSuppression NonZero Not OneHot Optional OptionalGetElement OptionalHasElement
	Or PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear RNN RandomNormal RandomNormalLike RandomUniform RandomUniformLike
	Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
	ReduceSumSquare RegexFullMatch Relu Reshape Resize ReverseSequence RoiAlign Round STFT Scan ScatterElements ScatterND Selu
	SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap Shape Shrink Sigmoid Sign
	Sin Sinh Size Slice Softmax SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth Split SplitToSequence Sqrt Squeeze
	StringConcat StringNormalizer StringSplit Sub Sum Tan Tanh TfIdfVectorizer ThresholdedRelu Tile TopK Transpose Trilu Unique
	Unsqueeze Upsample Where Xor`)
